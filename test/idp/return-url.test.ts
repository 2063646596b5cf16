import { describe, expect, test } from "vitest";
import { returnUrl, withParameters } from "../../src/idp/return-url.ts";

const base = "https://auth.example.com/idps/callback";

describe("where a browser shall end", () => {
  test.each([
    ["https://app.example.com/done", "https://app.example.com/done"],
    ["http://localhost:3000", "http://localhost:3000/"],
    ["myapp://signed-in", "myapp://signed-in"],
    ["/done?x=1", "https://auth.example.com/done?x=1"],
    ["//other.example.com/done", "https://other.example.com/done"],
  ])("%s is %s", (text, url) => {
    expect(returnUrl(text, base)).toBe(url);
  });

  test.each([
    "javascript:alert(1)",
    " JAVASCRIPT:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,hi",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://a.example/1",
    "http://[",
    "https://",
  ])("%j is refused", (text) => {
    expect(() => returnUrl(text, base)).toThrow("must be addresses a browser can go to");
  });

  test("gets parameters in place of its own of the same names, and keeps the rest", () => {
    expect(
      withParameters("https://a.example/b?keep=1&id=theirs&id=twice#part", { id: "ours", user: "ä&=" }),
    ).toBe("https://a.example/b?keep=1&id=ours&user=%C3%A4%26%3D#part");
    expect(withParameters("myapp://signed-in", { id: "1" })).toBe("myapp://signed-in?id=1");
  });
});
