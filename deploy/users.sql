-- The users of the token service (PARSEC_USERS_TABLE): a table, or a view with these columns.
CREATE TABLE users (
  issuer text NOT NULL,
  subject text NOT NULL,
  email text,
  roles text[] NOT NULL DEFAULT '{}',
  department text,
  PRIMARY KEY (issuer, subject)
);
