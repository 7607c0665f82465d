-- What the token service selects from: see PARSEC_USERS_TABLE. A view with these columns does as well.
CREATE TABLE users (
  issuer text NOT NULL,
  subject text NOT NULL,
  email text,
  roles text[] NOT NULL DEFAULT '{}',
  department text,
  PRIMARY KEY (issuer, subject)
);
