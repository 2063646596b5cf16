/** An address or a number as logs show it: enough to find one's own in, too little to write to. */
export function masked(recipient: string): string {
  const at = recipient.lastIndexOf("@");
  if (at > 0) return `${recipient[0]}***${recipient.slice(at)}`;
  return `***${recipient.slice(-2)}`;
}
