import { DomainError } from "../errors.ts";

/** What the link of each kind of message may name (spec, session API §11.3, user slice §5 and §6.1). */
export const urlVariables = {
  otpEmail: ["Code", "UserID", "LoginName", "DisplayName", "PreferredLanguage", "SessionID"],
  verifyEmail: ["UserID", "OrgID", "Code"],
  passwordReset: ["UserID", "OrgID", "Code"],
  passkeyRegistration: ["UserID", "OrgID", "CodeID", "Code"],
} as const;

export type LinkKind = keyof typeof urlVariables;

/** A value for each variable of the kind; an unknown one is the empty text. */
export type UrlValues<K extends LinkKind> = Readonly<Record<(typeof urlVariables)[K][number], string>>;

/** Makes the link. Whatever a value holds, it stays inside the place it was put: it is escaped as RFC 3986 unreserved. */
export type UrlTemplate<K extends LinkKind> = (values: UrlValues<K>) => string;

const placeholder = /^[ \t\r\n]*\.([A-Za-z_][A-Za-z0-9_]*)[ \t\r\n]*$/;

/**
 * Reads a URL template: text with `{{.Name}}` in it, blanks inside the braces allowed.
 *
 * It looks like a Go template and is none: pipes, functions, conditions and comments are refused, so that nothing a
 * caller writes is ever run.
 * @throws DomainError `notification.url_template_malformed`, `notification.url_template_variable_unknown`
 */
export function readUrlTemplate<K extends LinkKind>(kind: K, text: string): UrlTemplate<K> {
  const variables: readonly string[] = urlVariables[kind];
  const [literal, ...rest] = text.split("{{");
  const parts = rest.map((part) => {
    const end = part.indexOf("}}");
    const name = end === -1 ? undefined : placeholder.exec(part.slice(0, end))?.[1];
    if (name === undefined) throw new DomainError("notification.url_template_malformed");
    return { name, literal: part.slice(end + 2) };
  });
  // Afterwards, since a text that is no template is told so first, whatever it names.
  if (!parts.every(({ name }) => variables.includes(name))) {
    throw new DomainError("notification.url_template_variable_unknown");
  }
  return (values) => {
    const byName: Readonly<Record<string, string>> = values;
    return parts.reduce((url, part) => url + escaped(byName[part.name] ?? "") + part.literal, literal!);
  };
}

// encodeURIComponent leaves five characters that mean something in some URLs, and throws at half a surrogate pair.
const escaped = (value: string): string =>
  encodeURIComponent(value.toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
