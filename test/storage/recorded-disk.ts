import fs from "node:fs";
import { dirname, join, sep } from "node:path";

/** What a disk writes in one piece. */
const SECTOR_BYTES = 512;

type Change = { offset: number; bytes: Buffer } | { length: number };
type Name =
  | { put: string; file: number }
  | { make: string }
  | { move: string; to: string }
  | { remove: string };
type Step =
  | { file: number; change: Change }
  | { name: Name }
  | { syncFile: number }
  | { syncDirectory: true };

/** A number from 0 up to but not including 1, as `Math.random` gives it. */
export type Dice = () => number;

/**
 * Everything written below a directory, in order, and what a power cut at any moment would have left of it.
 *
 * The rules are those of journaled file systems such as ext4, XFS and APFS. What an fsync of the file came after is
 * there. Of what came later, any sectors may be and any may not. Names are written in order: those up to an fsync of
 * the directory or of the file are there, and then as many more as luck will have it.
 */
export class RecordedDisk {
  readonly #root: string;
  readonly #origin: string;
  readonly #steps: Step[] = [];
  readonly #files = new Map<string, number>();
  readonly #origins: (string | undefined)[] = [];
  readonly #opened = new Map<number, number>();
  readonly #restore: (() => void)[] = [];

  /**
   * Records until `stop`. Calls of `node:fs` in this thread count, of its synchronous functions those PGlite uses.
   * @param root   the directory
   * @param origin a copy of it that stays as it is: what was on the disk before
   */
  constructor(root: string, origin: string) {
    this.#root = root;
    this.#origin = origin;
    this.#after("openSync", (handle, path) => {
      if (this.#inside(path)) this.#opened.set(handle as number, this.#fileOf(path as string));
    });
    this.#before("closeSync", (handle) => this.#opened.delete(handle as number));
    this.#after("writeSync", (written, handle, buffer, offset, _, position) => {
      const view = buffer as Uint8Array;
      const start = offset as number;
      const bytes = Buffer.from(view.slice(start, start + (written as number)));
      this.#change(handle, { offset: position as number, bytes });
    });
    this.#after("ftruncateSync", (_, handle, length) => this.#change(handle, { length: length as number }));
    this.#after("truncateSync", (_, path, length) => {
      if (this.#inside(path))
        this.#steps.push({ file: this.#fileOf(path), change: { length: length as number } });
    });
    for (const sync of ["fsyncSync", "fdatasyncSync"] as const)
      this.#after(sync, (_, handle) => this.#sync(handle));
    // How Emscripten makes a file.
    this.#after("writeFileSync", (_, path) => {
      if (!this.#inside(path)) return;
      this.#files.delete(path);
      this.#steps.push({ name: { put: path, file: this.#fileOf(path) } });
    });
    this.#after("mkdirSync", (_, path) => this.#inside(path) && this.#steps.push({ name: { make: path } }));
    this.#after("renameSync", (_, from, to) => {
      if (!this.#inside(from)) return;
      this.#files.set(to as string, this.#fileOf(from));
      this.#files.delete(from);
      this.#steps.push({ name: { move: from, to: to as string } });
    });
    for (const remove of ["unlinkSync", "rmdirSync"] as const) {
      this.#after(remove, (_, path) => {
        if (!this.#inside(path)) return;
        this.#files.delete(path);
        this.#steps.push({ name: { remove: path } });
      });
    }
  }

  /** How many steps were recorded so far: a moment to cut the power at. */
  get now(): number {
    return this.#steps.length;
  }

  stop(): void {
    for (const restore of this.#restore.splice(0)) restore();
  }

  /** Writes what is left of the directory after a power cut at a moment. */
  cut(moment: number, target: string, dice: Dice): void {
    const steps = this.#steps.slice(0, moment);
    const kept = new Map<number, Change[]>();
    const lost = new Map<number, Change[]>();
    const names: Name[] = [];
    let keptNames = 0;
    for (const step of steps) {
      if ("name" in step) names.push(step.name);
      else if ("change" in step) push(lost, step.file, step.change);
      else {
        keptNames = names.length;
        if ("syncDirectory" in step) continue;
        for (const change of lost.get(step.syncFile) ?? []) push(kept, step.syncFile, change);
        lost.delete(step.syncFile);
      }
    }
    // Now and then all or nothing of it.
    const luck = [0, 1, dice(), dice()][Math.floor(dice() * 4)]!;
    const lucky = [...lost].map(
      ([file, changes]) => [file, sectors(changes).filter(() => dice() < luck)] as const,
    );
    keptNames += Math.floor(dice() * (names.length - keptNames + 1));

    fs.cpSync(this.#origin, target, { recursive: true });
    const at = new Map<string, number>();
    const place = (path: string) => join(target, path.slice(this.#root.length));
    for (const [path, file] of this.#initialFiles()) at.set(path, file);
    for (const name of names.slice(0, keptNames)) {
      if ("make" in name) fs.mkdirSync(place(name.make));
      else if ("put" in name) {
        fs.writeFileSync(place(name.put), "");
        at.set(name.put, name.file);
      } else if ("remove" in name) {
        fs.rmSync(place(name.remove), { recursive: true });
        at.delete(name.remove);
      } else {
        fs.renameSync(place(name.move), place(name.to));
        const file = at.get(name.move);
        at.delete(name.move);
        if (file !== undefined) at.set(name.to, file);
      }
    }
    for (const [file, changes] of lucky) for (const change of changes) push(kept, file, change);
    for (const [path, file] of at) {
      const changes = kept.get(file);
      if (changes !== undefined) carryOut(changes, place(path));
    }
  }

  /** Files that were there before, and are known because somebody opened, moved or removed them. */
  *#initialFiles(): Iterable<[string, number]> {
    for (const [file, path] of this.#origins.entries()) if (path !== undefined) yield [path, file];
  }

  #fileOf(path: string): number {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const file = this.#origins.length;
    this.#files.set(path, file);
    const made = this.#steps.some((step) => "name" in step && "put" in step.name && step.name.put === path);
    const before = !made && fs.existsSync(join(this.#origin, path.slice(this.#root.length)));
    this.#origins.push(before ? path : undefined);
    return file;
  }

  #change(handle: unknown, change: Change): void {
    const file = this.#opened.get(handle as number);
    if (file !== undefined) this.#steps.push({ file, change });
  }

  #sync(handle: unknown): void {
    const file = this.#opened.get(handle as number);
    if (file === undefined) return;
    this.#steps.push(
      fs.fstatSync(handle as number).isDirectory() ? { syncDirectory: true } : { syncFile: file },
    );
  }

  #inside(path: unknown): path is string {
    return typeof path === "string" && path.startsWith(this.#root + sep);
  }

  #after(name: keyof typeof fs, note: (result: unknown, ...parameters: unknown[]) => void): void {
    this.#wrap(name, (original) => (...parameters) => {
      const result = original(...parameters);
      note(result, ...parameters);
      return result;
    });
  }

  #before(name: keyof typeof fs, note: (...parameters: unknown[]) => void): void {
    this.#wrap(name, (original) => (...parameters) => {
      note(...parameters);
      return original(...parameters);
    });
  }

  #wrap(name: keyof typeof fs, wrap: (original: Call) => Call): void {
    const functions = fs as unknown as Record<string, Call>;
    const original = functions[name]!;
    functions[name] = wrap(original);
    this.#restore.push(() => {
      functions[name] = original;
    });
  }
}

type Call = (...parameters: unknown[]) => unknown;

function push(changes: Map<number, Change[]>, file: number, change: Change): void {
  const all = changes.get(file);
  if (all === undefined) changes.set(file, [change]);
  else all.push(change);
}

function sectors(changes: Change[]): Change[] {
  return changes.flatMap((change) => {
    if ("length" in change) return [change];
    const pieces: Change[] = [];
    for (let start = 0; start < change.bytes.length; ) {
      const offset = change.offset + start;
      const end = start + SECTOR_BYTES - (offset % SECTOR_BYTES);
      pieces.push({ offset, bytes: change.bytes.subarray(start, end) });
      start = end;
    }
    return pieces;
  });
}

function carryOut(changes: Change[], path: string): void {
  const handle = fs.openSync(path, "r+");
  for (const change of changes) {
    if ("length" in change) fs.ftruncateSync(handle, change.length);
    else fs.writeSync(handle, change.bytes, 0, change.bytes.length, change.offset);
  }
  fs.closeSync(handle);
}

/** The root must exist; its parent is where a copy goes. */
export const copyBeside = (root: string, name: string): string => {
  const copy = join(dirname(root), name);
  fs.cpSync(root, copy, { recursive: true });
  return copy;
};
