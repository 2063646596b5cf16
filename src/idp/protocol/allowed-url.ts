const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * Whether a provider may be talked to under this address: `https:`, or `http:` on the machine itself, as in
 * development. Elsewhere plain HTTP would give codes, tokens and the client's secret to whoever listens.
 * @param allowInsecure the operator takes plain HTTP to any host
 */
export function isAllowedUrl(text: string, allowInsecure: boolean): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return false;
  return (
    url.protocol === "https:" || (url.protocol === "http:" && (allowInsecure || LOOPBACK.test(url.hostname)))
  );
}
