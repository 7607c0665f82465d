const isCampaign = process.env.PARSEC_CAMPAIGN === "1";

/**
 * How many random interleavings each simulation runs: some thousands in `pnpm test`, and more than
 * 100,000 together in `pnpm campaign`.
 */
export const interleavings: Readonly<Record<"calm" | "rolling" | "stormy", number>> = isCampaign
  ? { calm: 40_000, rolling: 20_000, stormy: 50_000 }
  : { calm: 2_000, rolling: 1_000, stormy: 2_500 };
