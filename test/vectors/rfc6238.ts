/** RFC 6238, Appendix B: the secret of the SHA-1 rows, `12345678901234567890` (ASCII). */
export const totpSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/** Seconds since 1970, the time step as printed, and the code of eight digits; the last six are a code of six. */
export const totpCodes: readonly [seconds: number, step: number, code: string][] = [
  [59, 0x0000000000000001, "94287082"],
  [1_111_111_109, 0x00000000023523ec, "07081804"],
  [1_111_111_111, 0x00000000023523ed, "14050471"],
  [1_234_567_890, 0x000000000273ef07, "89005924"],
  [2_000_000_000, 0x0000000003f940aa, "69279037"],
  [20_000_000_000, 0x0000000027bc86aa, "65353130"],
];
