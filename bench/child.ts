import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** What a child process can be asked for: one argument in, one answer out, both fit for structured cloning. */
// biome-ignore lint/suspicious/noExplicitAny: each child states its own arguments, this file only carries them
export type Calls = Record<string, (argument: any) => Promise<unknown>>;

type Question = { id: number; name: string; argument: unknown };
type Reply = { id: number; value?: unknown; error?: string };

/** A child process and the calls it answers. */
export type Child<C extends Calls> = {
  readonly pid: number;
  call<N extends keyof C & string>(
    name: N,
    argument: Parameters<C[N]>[0],
  ): Promise<Awaited<ReturnType<C[N]>>>;
  /** Lets it end its own affairs, and waits until it is gone. */
  [Symbol.asyncDispose](): Promise<void>;
};

/**
 * Starts a script that calls {@link answerCalls}.
 *
 * It gets a process group of its own: Ctrl-C then reaches the parent alone, which ends its children in order. It also
 * ends by itself when the parent is gone, however that came about.
 * @param script file name in this folder
 * @param environment variables it has besides its parent's
 */
export function startChild<C extends Calls>(script: string, environment: NodeJS.ProcessEnv = {}): Child<C> {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), {
    serialization: "advanced",
    detached: true,
    execArgv: [],
    env: { ...process.env, ...environment },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const open = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  child.on("message", ({ id, value, error }: Reply) => {
    const waiting = open.get(id);
    open.delete(id);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(error));
  });
  const exited = once(child, "exit").then(() => {
    for (const { reject } of open.values()) reject(new Error(`${script} ended unexpectedly`));
    open.clear();
  });
  return {
    pid: child.pid!,
    call: (name, argument) => {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      if (!child.connected) return Promise.reject(new Error(`${script} has ended`));
      lastId += 1;
      open.set(lastId, { resolve, reject });
      child.send({ id: lastId, name, argument } satisfies Question);
      return promise as never;
    },
    [Symbol.asyncDispose]: () => end(child, exited),
  };
}

async function end(child: ChildProcess, exited: Promise<void>): Promise<void> {
  if (child.connected) child.disconnect();
  await exited;
}

/**
 * The child's half: answers calls until the parent hangs up.
 * @param atEnd what must be undone before the process ends; calls still being answered are waited for first
 */
export function answerCalls(calls: Calls, atEnd?: () => Promise<void>): void {
  const open = new Set<Promise<void>>();
  const answer = async ({ id, name, argument }: Question): Promise<void> => {
    let reply: Reply;
    try {
      reply = { id, value: await calls[name]!(argument) };
    } catch (error) {
      reply = { id, error: error instanceof Error ? error.message : String(error) };
    }
    if (process.connected) process.send!(reply);
  };
  process.on("message", (question: Question) => {
    const answering = answer(question).finally(() => open.delete(answering));
    open.add(answering);
  });
  process.once("disconnect", async () => {
    if (atEnd !== undefined) {
      await Promise.allSettled(open);
      await atEnd();
    }
    process.exit();
  });
}
