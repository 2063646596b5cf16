/**
 * What became of one attempt to hand a message over.
 *
 * - `delivered`: the other side has taken it.
 * - `refused`: it never will; trying again would be told the same.
 * - `postponed`: it may yet, a minute later: nobody there, overloaded, or busy being set up.
 *
 * A `reason` is for logs and events: numbers and words of ours, never the other side's text, which may quote the
 * message, and with it a code, back at us.
 */
export type Delivery = { outcome: "delivered" } | Undelivered;
export type Undelivered = { outcome: "refused" | "postponed"; reason: string };

export const delivered: Delivery = { outcome: "delivered" };
export const refused = (reason: string): Undelivered => ({ outcome: "refused", reason });
export const postponed = (reason: string): Undelivered => ({ outcome: "postponed", reason });
