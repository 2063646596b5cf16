/** Why the token endpoint issues nothing (RFC 6749 §5.2). */
export type TokenRefusalCode =
  | "invalid_request"
  | "invalid_client"
  | "invalid_grant"
  | "unsupported_grant_type";

/**
 * A refusal of the token endpoint, in the words of OAuth: its clients know these codes and no others.
 * `message` is public: printable ASCII without quotes and backslashes, as RFC 6749 wants it.
 */
export class TokenRefusal extends Error {
  override name = "TokenRefusal";
  readonly code: TokenRefusalCode;

  constructor(code: TokenRefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}
