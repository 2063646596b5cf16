import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { rolldown } from "rolldown";

export type PageFile = { type: string; content: string };

const directory = join(import.meta.dirname, "page");

/** The page by path. Its script is bundled here, at the start: there is no build to run, and nothing to keep. */
export async function pageFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const read = (name: string) => readFile(join(directory, name), "utf8");
  return new Map([
    ["/", { type: "text/html; charset=utf-8", content: await read("index.html") }],
    ["/page.css", { type: "text/css; charset=utf-8", content: await read("page.css") }],
    ["/icon.svg", { type: "image/svg+xml", content: await read("icon.svg") }],
    ["/page.js", { type: "text/javascript; charset=utf-8", content: await bundled("main.ts") }],
  ]);
}

async function bundled(name: string): Promise<string> {
  const bundle = await rolldown({ input: join(directory, name), platform: "browser" });
  try {
    const { output } = await bundle.generate({ format: "esm", minify: true });
    return output[0].code;
  } finally {
    await bundle.close();
  }
}
