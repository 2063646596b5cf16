import type { Spread } from "./statistics.ts";

export const row = (cells: string[]): string => `| ${cells.join(" | ")} |`;
export const whole = (value: number): string => Math.round(value).toLocaleString("en-US");
/** A dash where the system does not tell. */
export const wholeIfKnown = (value: number | undefined): string => (value === undefined ? "–" : whole(value));
export const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
export const milliseconds = (value: number): string => value.toFixed(value < 10 ? 2 : 1);
/** `**median** (least–most)` */
export const spread = ({ median, least, most }: Spread): string =>
  `**${figure(median)}** (${figure(least)}–${figure(most)})`;

/** Three digits that mean something: 0.85, 12.3, 1,500. */
export const figure = (value: number): string =>
  value >= 100 ? whole(value) : value.toFixed(value >= 10 ? 1 : 2);
