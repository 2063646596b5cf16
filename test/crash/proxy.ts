import * as net from "node:net";

/** A cable between Gatehouse and its database that a test can pull. */
export type DatabaseProxy = {
  /** The same database behind the proxy. */
  url: string;
  /** From now on nothing comes through, and nobody is told: what a broken switch or a frozen machine looks like. */
  fallSilent(): void;
  /**
   * A statement that holds this text is carried out; its answer is lost, the connection dies in its place.
   * @param occurrence 1: the next such statement, 2: the one after it, …
   */
  loseAnswerTo(text: string, occurrence?: number): void;
  /** Works again; connections from before stay as dead as they are. */
  restore(): void;
  close(): Promise<void>;
};

export async function startProxy(databaseUrl: string): Promise<DatabaseProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<net.Socket>();
  let silent = false;
  let loses: { text: string; occurrence: number } | undefined;

  const server = net.createServer((client) => {
    const database = net.connect(Number(target.port), target.hostname);
    // A silence outlasts its end: what was lost in it is never sent again.
    let dead = silent;
    let losing = false;
    for (const socket of [client, database]) {
      socket.on("error", () => {});
      sockets.add(socket);
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        database.destroy();
      });
    }
    client.on("data", (chunk) => {
      dead ||= silent;
      if (dead) return;
      if (loses !== undefined && chunk.includes(loses.text)) {
        loses.occurrence -= 1;
        if (loses.occurrence === 0) [losing, loses] = [true, undefined];
      }
      database.write(chunk);
    });
    database.on("data", (chunk) => {
      dead ||= silent;
      if (losing) client.destroy();
      else if (!dead) client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(target);
  url.port = String((server.address() as net.AddressInfo).port);
  return {
    url: url.href,
    fallSilent: () => {
      silent = true;
    },
    loseAnswerTo: (text, occurrence = 1) => {
      loses = { text, occurrence };
    },
    restore: () => {
      silent = false;
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
