/** A label of a host name has 63 characters at most (RFC 1035 §2.3.4). */
const MAX_LABEL = 63;

/**
 * An organization's own domain: its name as a host label under the instance's, `Ärzte & Co.` → `arzte-co.example.com`.
 * A name too long keeps its end, where what tells it apart was added.
 * @param instanceDomain without a port
 * @returns undefined if nothing of the name can stand in a host name
 */
export function organizationDomain(name: string, instanceDomain: string): string | undefined {
  const label = name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(-MAX_LABEL)
    .replace(/^-+|-+$/g, "");
  return label === "" ? undefined : `${label}.${instanceDomain.toLowerCase()}`;
}
