/**
 * What stays of a payload: ids of ours, times, kinds. Everything else is a person's, or a secret's, and anything an event
 * gains is so until it is listed here.
 */
const kept = new Set([
  "organizationId",
  "organizationRemoved",
  "reason",
  "except",
  "accessTokenType",
  "changeRequired",
  "expiresAt",
  "expiration",
  "tokenId",
  "id",
  "idpConfigId",
  "webAuthNTokenId",
]);

/**
 * The payload of an event of a user who was removed since, without personal data: of the same shape, so that the stream
 * can be folded as before. A removal leaves nothing of a user but the epochs, which only the events' types decide, the
 * organization and times, so the row is the same too.
 */
export function erasedPayload(payload: object): object {
  return Object.fromEntries(
    Object.entries(payload).map(([key, value]) => [key, kept.has(key) ? value : blank(value)]),
  );
}

function blank(value: unknown): unknown {
  switch (typeof value) {
    case "string":
      return "";
    case "number":
      return 0;
    case "boolean":
      return false;
    default:
      return Array.isArray(value) ? [] : value === null ? null : {};
  }
}
