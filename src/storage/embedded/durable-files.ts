import fs from "node:fs";
import { NodeFS } from "@electric-sql/pglite/nodefs";

type Module = {
  NODEFS: { realPath(node: unknown): string; stream_ops: { fsync?: (stream: Stream) => number } };
};
type Stream = { node: unknown; nfd: number };

/** A WAL segment is written at its full length before it is used: its data is all that changes. */
const WAL_SEGMENT = /\/pg_wal\/[0-9A-F]{24}$/;

/**
 * The files of an embedded database, with an fsync that reaches the disk. PGlite's own file system knows none, and
 * Emscripten then says "done" to whoever asks for one.
 */
export class DurableFiles extends NodeFS {
  readonly #onFault: (reason: unknown) => void;

  /**
   * @param onFault hears, in the midst of it, of an fsync that failed: what was written may be lost, and no later fsync
   *   would tell; and of an abort of PostgreSQL, after which PGlite goes on as if the statement were done
   */
  constructor(directory: string, onFault: (reason: unknown) => void) {
    super(directory);
    this.#onFault = onFault;
  }

  override async init(...parameters: Parameters<NodeFS["init"]>): ReturnType<NodeFS["init"]> {
    const { emscriptenOpts } = await super.init(...parameters);
    const preRun = [...(emscriptenOpts.preRun as unknown[]), (module: Module) => this.#addSync(module)];
    const onAbort = (what: unknown) => this.#onFault(what);
    return { emscriptenOpts: { ...emscriptenOpts, preRun, onAbort } as typeof emscriptenOpts };
  }

  #addSync({ NODEFS }: Module): void {
    NODEFS.stream_ops.fsync = ({ node, nfd }) => {
      try {
        if (WAL_SEGMENT.test(NODEFS.realPath(node))) fs.fdatasyncSync(nfd);
        else fs.fsyncSync(nfd);
        return 0;
      } catch (error) {
        this.#onFault(error);
        throw error;
      }
    };
  }
}
