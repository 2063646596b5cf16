import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DomainError } from "../errors.ts";

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
    await mkdir(this.path, { recursive: true, mode: 0o700 });
  }

  /** @throws DomainError `storage.locked` if another process has the directory open */
  lock(): void {
    const lock = new DatabaseSync(join(this.path, "lock"));
    try {
      lock.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    } catch (cause) {
      lock.close();
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

  /** The embedded server's master key: 32 bytes, made at the first start. */
  async masterKey(generate: () => Uint8Array): Promise<Uint8Array> {
    const path = join(this.path, "master-key");
    try {
      return Uint8Array.from(Buffer.from((await readFile(path, "utf8")).trim(), "hex"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    const key = generate();
    await writeSecret(path, Buffer.from(key).toString("hex"));
    return key;
  }

  async writeAdminToken(token: string): Promise<void> {
    await writeSecret(this.adminTokenPath, token);
  }

  async removeAdminToken(): Promise<void> {
    await rm(this.adminTokenPath, { force: true });
  }
}

async function writeSecret(path: string, text: string): Promise<void> {
  await writeFile(path, `${text}\n`, { mode: 0o600 });
  // The mode of an existing file is not changed by writing to it.
  await chmod(path, 0o600);
}
