/** A server of others that keeps sessions in PostgreSQL; a process of its own, in production mode. */
export type Peer = {
  /** @returns its origin */
  start(order: { databaseUrl: string }): Promise<string>;
  /** @returns a Cookie header for each new session */
  createSessions(order: { count: number }): Promise<string[]>;
  /** How many sessions it has, by its table. */
  countSessions(nothing: undefined): Promise<number>;
};
