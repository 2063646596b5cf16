/** RFC 4226, Appendix D: what the secret `12345678901234567890` (ASCII) gives for the counters 0 to 9. */
export const hotpSecret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

export const hotpCodes: readonly string[] = [
  "755224",
  "287082",
  "359152",
  "969429",
  "338314",
  "254676",
  "287922",
  "162583",
  "399871",
  "520489",
];
