import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DomainError } from "../../src/errors.ts";
import {
  type LinkKind,
  readUrlTemplate,
  type UrlValues,
  urlVariables,
} from "../../src/notify/url-template.ts";

const values: UrlValues<"otpEmail"> = {
  Code: "12345678",
  UserID: "ada",
  LoginName: "ada@example.org",
  DisplayName: "Ada & Charles",
  PreferredLanguage: "",
  SessionID: "0192f000",
};

const rendered = (text: string): string => readUrlTemplate("otpEmail", text)(values);

function refusal(kind: LinkKind, text: string): string | undefined {
  try {
    readUrlTemplate(kind, text);
    return undefined;
  } catch (error) {
    if (error instanceof DomainError) return error.slug;
    throw error;
  }
}

describe("a template", () => {
  test.each([
    ["https://a.example/otp?code={{.Code}}", "https://a.example/otp?code=12345678"],
    ["https://a.example/{{ .UserID }}/{{\t.Code\n}}", "https://a.example/ada/12345678"],
    ["?n={{.DisplayName}}&l={{.LoginName}}", "?n=Ada%20%26%20Charles&l=ada%40example.org"],
    ["{{.Code}}{{.Code}}", "1234567812345678"],
    ["lang={{.PreferredLanguage}};", "lang=;"],
    ["no variable at all", "no variable at all"],
    ["", ""],
    ["a}}b{c}d", "a}}b{c}d"],
    ["{{.Code}}}", "12345678}"],
  ])("%j becomes %j", (text, url) => {
    expect(rendered(text)).toBe(url);
  });

  test.each([
    "{{",
    "{{.Code",
    "{{.Code}",
    "{{}}",
    "{{ }}",
    "{{.}}",
    "{{Code}}",
    "{{. Code}}",
    "{{{.Code}}}",
    "{{.Code.Length}}",
    "{{.Code | print}}",
    "{{- .Code -}}",
    "{{/* .Code */}}",
    '{{"text"}}',
    "{{printf .Code}}",
    "{{if .Code}}x{{end}}",
    "{{range .Code}}{{end}}",
    "{{$x := .Code}}",
    "{{.Code {{.UserID}}",
    "{{.Unknown}} and {{",
  ])("%j is malformed", (text) => {
    expect(refusal("otpEmail", text)).toBe("notification.url_template_malformed");
  });

  test.each([
    "{{.Unknown}}",
    "{{.code}}",
    "{{.OrgID}}",
    "{{.__proto__}}",
    "{{.constructor}}",
    "{{.toString}}",
    "{{.length}}",
  ])("%j names no variable", (text) => {
    expect(refusal("otpEmail", text)).toBe("notification.url_template_variable_unknown");
  });

  test("each kind of link knows its own variables and no others", () => {
    const names = [...new Set(Object.values(urlVariables).flat())];
    const known = Object.keys(urlVariables).map((kind) => [
      kind,
      names.filter((name) => refusal(kind as LinkKind, `{{.${name}}}`) === undefined).sort(),
    ]);
    expect(Object.fromEntries(known)).toEqual({
      otpEmail: ["Code", "DisplayName", "LoginName", "PreferredLanguage", "SessionID", "UserID"],
      verifyEmail: ["Code", "OrgID", "UserID"],
      passwordReset: ["Code", "OrgID", "UserID"],
      passkeyRegistration: ["Code", "CodeID", "OrgID", "UserID"],
    });
  });
});

const piece = fc.constantFrom(
  "{",
  "}",
  "{{",
  "}}",
  ".",
  "Code",
  "UserID",
  " ",
  "|",
  "-",
  "\n",
  "x",
  "$",
  '"',
);

test("nothing makes it throw but a malformed template or an unknown variable", () => {
  const anything = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join("")),
  );
  fc.assert(
    fc.property(anything, fc.string({ unit: "binary" }), (text, value) => {
      const slug = refusal("otpEmail", text);
      if (slug === undefined)
        expect(() => readUrlTemplate("otpEmail", text)({ ...values, Code: value })).not.toThrow();
      else expect(slug).toMatch(/^notification\.url_template_(malformed|variable_unknown)$/);
    }),
    { numRuns: 3_000 },
  );
});

test("a value, whatever is in it, stays in its place and can be read back", () => {
  // Half a surrogate pair, braces and slashes are all in there.
  const value = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: "grapheme" }),
    fc.constantFrom("{{.Code}}", "\ud800", "../..", "a&b=c#d?e/f", "'()*!~", "\r\n", '"><script>'),
  );
  fc.assert(
    fc.property(value, value, (code, userId) => {
      const url = readUrlTemplate(
        "verifyEmail",
        "<{{.Code}}|{{.UserID}}>",
      )({
        Code: code,
        UserID: userId,
        OrgID: "",
      });
      const inside = /^<([A-Za-z0-9._~%-]*)\|([A-Za-z0-9._~%-]*)>$/.exec(url);
      expect(inside).not.toBeNull();
      expect(inside!.slice(1).map(decodeURIComponent)).toEqual([code.toWellFormed(), userId.toWellFormed()]);
    }),
    { numRuns: 2_000 },
  );
});
