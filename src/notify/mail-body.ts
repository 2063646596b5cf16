import type { Message } from "./message.ts";

/** The two forms of a mail; the HTML fetches nothing, so that reading it tells nobody. */
export type MailBody = { text: string; html: string };

export function mailBody({ content, url }: Pick<Message, "content" | "url">): MailBody {
  const { title, preHeader, greeting, text, buttonText } = content;
  const link = url ? `${buttonText}:\n${url}` : undefined;
  return {
    text: `${[greeting, text, link].filter(Boolean).join("\n\n")}\n`,
    html: `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escaped(title)}</title></head>
<body style="font-family: sans-serif; line-height: 1.5; max-width: 36em">
<div style="display: none">${escaped(preHeader)}</div>
<p>${escaped(greeting)}</p>
<p>${escaped(text)}</p>
${url ? `<p>${linkTo(url, buttonText)}</p>\n` : ""}</body>
</html>
`,
  };
}

// The template is the caller's: an app's own scheme is shown, but only a web address is made to be clicked.
const linkTo = (url: string, label: string): string =>
  /^https?:\/\//i.test(url)
    ? `<a href="${escaped(url)}">${escaped(label)}</a><br>${escaped(url)}`
    : `${escaped(label)}: ${escaped(url)}`;

const entities: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!);
