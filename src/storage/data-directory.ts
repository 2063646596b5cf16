import { randomUUID } from "node:crypto";
import { link, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ConfigError } from "../config.ts";
import { DomainError } from "../errors.ts";
import { makeDirectory, syncDirectory } from "./synced-files.ts";

/**
 * The directory of an embedded server: its database, master key and first administrator token, for one process at a
 * time. The lock is an SQLite file held exclusively: the kernel lets go of it when the process ends, however it ends,
 * which no file with a process id in it can promise.
 */
export class DataDirectory {
  readonly path: string;
  #lock: DatabaseSync | undefined;

  constructor(path: string) {
    this.path = path;
  }

  get databasePath(): string {
    return join(this.path, "pglite");
  }

  get adminTokenPath(): string {
    return join(this.path, "admin-token");
  }

  async create(): Promise<void> {
    await makeDirectory(this.path);
  }

  /** @throws DomainError `storage.locked` if another process has the directory open */
  lock(): void {
    const lock = new DatabaseSync(join(this.path, "lock"));
    try {
      lock.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    } catch (cause) {
      lock.close();
      // Anything but SQLITE_BUSY (5): the file or its disk is at fault, not another server.
      if (((cause as { errcode?: number }).errcode ?? 0) % 256 !== 5) throw cause;
      throw new DomainError("storage.locked", {
        message: `the data directory ${this.path} is in use by another Gatehouse; stop it, or give this one another directory`,
        cause,
      });
    }
    this.#lock = lock;
  }

  unlock(): void {
    this.#lock?.close();
    this.#lock = undefined;
  }

  /**
   * The embedded server's master key: 32 bytes, made at the first start.
   * @throws ConfigError if the file holds anything else: another key in its place would orphan what this one protects
   */
  async masterKey(generate: () => Uint8Array): Promise<Uint8Array> {
    const path = join(this.path, "master-key");
    await removeUnfinished(path);
    const stored = await readSecret(path);
    if (stored === undefined) {
      const key = generate();
      await rename(await writeUnfinished(path, Buffer.from(key).toString("hex")), path);
      await syncDirectory(this.path);
      return key;
    }
    if (!/^[0-9a-f]{64}$/i.test(stored)) {
      throw new ConfigError(
        `${path} is damaged: it should hold 64 hexadecimal characters`,
        "restore it from a copy; without it nothing it protected can be read",
      );
    }
    return Uint8Array.from(Buffer.from(stored, "hex"));
  }

  /** The administrator's token kept here, as it is in the file. */
  async keptAdminToken(): Promise<string | undefined> {
    return (await readSecret(this.adminTokenPath)) || undefined;
  }

  /** Keeps a token if none is kept: of servers that start together in one directory, all get the same. */
  async adminToken(generate: () => string): Promise<string> {
    const kept = await this.keptAdminToken();
    if (kept !== undefined) {
      // Who is still at it elsewhere finds this one.
      await removeUnfinished(this.adminTokenPath);
      return kept;
    }
    await this.create();
    const token = generate();
    const unfinished = await writeUnfinished(this.adminTokenPath, token);
    try {
      await link(unfinished, this.adminTokenPath);
      return token;
    } catch {
      const keptMeanwhile = await this.keptAdminToken();
      if (keptMeanwhile !== undefined) return keptMeanwhile;
      // There is nothing in the file, or the file system knows no links.
      await rename(unfinished, this.adminTokenPath);
      return token;
    } finally {
      await rm(unfinished, { force: true });
      await syncDirectory(this.path);
    }
  }

  async removeAdminToken(): Promise<void> {
    await rm(this.adminTokenPath, { force: true });
  }
}

async function readSecret(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

// A secret gets its name when it is whole: whenever the process is killed, the file is complete or not there.
async function writeUnfinished(path: string, text: string): Promise<string> {
  const unfinished = `${path}.${randomUUID()}`;
  await writeFile(unfinished, `${text}\n`, { mode: 0o600, flag: "wx", flush: true });
  return unfinished;
}

/** Takes away what a process that was killed has left behind of a secret. */
async function removeUnfinished(path: string): Promise<void> {
  const directory = dirname(path);
  const isUnfinished = (name: string) =>
    name.startsWith(`${basename(path)}.`) && uuid.test(name.slice(basename(path).length + 1));
  for (const name of await readdir(directory)) {
    if (isUnfinished(name)) await rm(join(directory, name), { force: true });
  }
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
