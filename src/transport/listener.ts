import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";
import * as tls from "node:tls";
import type { Logger } from "pino";
import type { NodeRequest, NodeResponse } from "./node-http.ts";
import { Roll } from "./roll.ts";

export type ListenOptions = {
  /** Undefined: every interface, over IPv6 too where the machine has it. */
  host: string | undefined;
  /** 0 picks a free port. */
  port: number;
  /** PEM; without it the port is cleartext. */
  tls?: { cert: string | Buffer; key: string | Buffer };
  /** In the place of a port of one's own. */
  sharedPort?: SharedPort;
  handler: (request: NodeRequest, response: NodeResponse) => void;
  /** Is asked first about every request of HTTP/2. @returns whether it answers; if not, the handler does */
  streamHandler?:
    | ((stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => boolean)
    | undefined;
  logger: Logger;
  /** A connection that has not shown its protocol (with TLS: shaken hands) by then is closed. */
  firstBytesTimeoutMs?: number;
  /** Time for the headers of an HTTP/1.1 request. */
  headersTimeoutMs?: number;
  /** Time for a whole request, body included. */
  requestTimeoutMs?: number;
  /** A connection without a request for this long is closed. */
  idleTimeoutMs?: number;
  maxHeaderBytes?: number;
  /** Open HTTP/2 requests per connection. */
  maxConcurrentStreams?: number;
};

/** A port that another process has opened and hands the connections of, to several processes in turn. */
export type SharedPort = {
  /** What TLS session tickets are sealed with, so that any of the processes resumes them: 48 bytes. */
  ticketKeys: Uint8Array;
  /**
   * Asks for connections.
   * @returns the port, once it is open
   * @throws what opening it failed with, such as EADDRINUSE
   */
  open(take: (socket: net.Socket) => void): Promise<number>;
  /** Asks for no more; one that is still on its way goes to another process. */
  close(): void;
};

export type Listener = {
  readonly port: number;
  /**
   * Takes no more connections or requests, answers what was accepted, and cuts what is left after `graceMs`.
   * Resolves when the last connection is gone.
   */
  close(graceMs: number): Promise<void>;
};

/** How long a closing listener waits for requests that were sent before their sender could know. */
const LINGER_MS = 250;

/** What an HTTP/2 client says before anything else (RFC 9113 §3.4). */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/**
 * Opens the one port. In cleartext the first bytes tell HTTP/2 with prior knowledge from HTTP/1.1; with TLS the client
 * says so by ALPN, and who says nothing is read the same way. Nothing a peer sends, or fails to send, throws.
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  const {
    firstBytesTimeoutMs = 10_000,
    headersTimeoutMs = 15_000,
    requestTimeoutMs = 60_000,
    idleTimeoutMs = 75_000,
    maxHeaderBytes = 32 * 1024,
    maxConcurrentStreams = 256,
    logger,
    handler,
    streamHandler,
  } = options;
  const sockets = new Set<net.Socket>();
  const undecided = new Set<net.Socket>();
  const sessions = new Set<http2.ServerHttp2Session>();
  const open = new Roll<NodeResponse | http2.ServerHttp2Stream>();
  const drained = Promise.withResolvers<void>();
  let closing = false;

  const onRequest = (request: NodeRequest, response: NodeResponse) => {
    // Errors of a connection reach the handler as the end of its request; here they only must not be thrown.
    response.on("error", ignore);
    const remove = open.add(response);
    response.on("close", () => {
      remove();
      // The connection is idle in a moment, and a goodbye may have come too late for it.
      if (closing) setImmediate(() => http1.closeIdleConnections());
    });
    if (closing) sayGoodbye(response);
    handler(request, response);
  };

  const http1 = http.createServer(
    {
      headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, Math.ceil(headersTimeoutMs / 4)),
      keepAliveTimeout: idleTimeoutMs,
      maxHeaderSize: maxHeaderBytes,
    },
    onRequest,
  );
  // Its timeouts start with this event, which never comes to a server that is handed its connections.
  http1.emit("listening");

  const h2 = http2.createServer({
    settings: { maxConcurrentStreams, maxHeaderListSize: maxHeaderBytes },
    maxSessionInvalidFrames: 100,
  });
  h2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    closeWhenIdle(session, idleTimeoutMs);
  });
  // Makes requests and responses of streams, and never listens itself.
  const requests = http2.createServer((request, response) => {
    const isUnanswered = () => !response.headersSent || response.writableEnded;
    cutSlowRequest(request.stream, isUnanswered, requestTimeoutMs);
    request.on("error", ignore);
    onRequest(request, response);
  });
  h2.on("stream", (stream, headers, flags, rawHeaders) => {
    if (streamHandler === undefined || headers.expect !== undefined || !streamHandler(stream, headers)) {
      requests.emit("stream", stream, headers, flags, rawHeaders);
      return;
    }
    cutSlowRequest(stream, () => !stream.headersSent || stream.writableEnded, requestTimeoutMs);
    stream.on("error", ignore);
    stream.once("close", open.add(stream));
  });
  h2.on("sessionError", (error) => logger.debug({ err: error }, "HTTP/2 connection failed"));

  const collector = cutUncollected(open, requestTimeoutMs);

  const onConnection = (socket: net.Socket) => {
    if (closing) return void socket.destroy();
    undecided.add(socket);
    const timer = setTimeout(() => socket.destroy(), firstBytesTimeoutMs);
    socket.once("close", () => {
      clearTimeout(timer);
      undecided.delete(socket);
    });
    socket.on("error", (error) => logger.debug({ err: error }, "connection failed"));
    socket.setNoDelay(true);
    tellProtocol(socket, (isHttp2) => {
      clearTimeout(timer);
      undecided.delete(socket);
      (isHttp2 ? h2 : http1).emit("connection", socket);
    });
  };

  const server = options.tls
    ? tls.createServer(
        {
          ...options.tls,
          ...(options.sharedPort && { ticketKeys: Buffer.from(options.sharedPort.ticketKeys) }),
          ALPNProtocols: ["h2", "http/1.1"],
          handshakeTimeout: firstBytesTimeoutMs,
        },
        onConnection,
      )
    : net.createServer({ allowHalfOpen: true }, onConnection);
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      if (closing && sockets.size === 0) drained.resolve();
    });
  });
  server.on("tlsClientError", (error: Error, socket: tls.TLSSocket) => {
    logger.debug({ err: error }, "TLS handshake failed");
    // One that merely takes too long is still open.
    socket.destroy();
  });

  const { sharedPort } = options;
  const port = sharedPort
    ? await sharedPort.open((socket) => server.emit("connection", socket))
    : await openPort(server, options);

  const close = async (graceMs: number): Promise<void> => {
    closing = true;
    if (sharedPort) sharedPort.close();
    else server.close();
    if (sockets.size === 0) drained.resolve();
    for (const response of open) sayGoodbye(response);
    // Tells the client to send no more (GOAWAY) and lets the open requests end; it knows which others were not begun.
    for (const session of sessions) session.close();
    // HTTP/1.1 has no such word: a request may be on its way on a connection that looks idle, or is just new.
    const linger = setTimeout(
      () => {
        for (const socket of undecided) socket.destroy();
        for (const session of sessions) session.close();
        // Closes idle connections; there is nothing else for it to close.
        http1.close();
      },
      Math.min(LINGER_MS, graceMs),
    );
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    await drained.promise;
    clearTimeout(linger);
    clearTimeout(cut);
    http1.close();
    clearInterval(collector);
  };

  let closed: Promise<void> | undefined;
  return {
    port,
    close: (graceMs) => {
      closed ??= close(graceMs);
      return closed;
    },
  };
}

async function openPort(server: net.Server, { host, port, logger }: ListenOptions): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      server.on("error", (error) => logger.error({ err: error }, "listener failed"));
      resolve();
    });
  });
  return (server.address() as net.AddressInfo).port;
}

const ignore = () => {};

/** Reads until the first bytes can only be one protocol, puts them back, and says which. */
function tellProtocol(socket: net.Socket, decide: (isHttp2: boolean) => void): void {
  const protocol = socket instanceof tls.TLSSocket ? socket.alpnProtocol : false;
  if (protocol === "h2" || protocol === "http/1.1") {
    decide(protocol === "h2");
    return;
  }

  let seen = Buffer.alloc(0);
  const onReadable = () => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
      seen = Buffer.concat([seen, chunk]);
    }
    const compared = Math.min(seen.length, preface.length);
    const isPrefix = preface.subarray(0, compared).equals(seen.subarray(0, compared));
    if (compared === 0 || (isPrefix && compared < preface.length)) return;
    socket.off("readable", onReadable).off("end", onEnd);
    socket.unshift(seen);
    decide(isPrefix);
  };
  const onEnd = () => socket.destroy();
  socket.on("readable", onReadable).once("end", onEnd);
}

/** Over HTTP/1.1 the client learns from the answer that no further request is welcome. */
function sayGoodbye(response: NodeResponse | http2.ServerHttp2Stream): void {
  if (response instanceof http.ServerResponse && !response.headersSent)
    response.setHeader("connection", "close");
}

/** Closes a session that has had no open request for `idleMs`; pings do not count as life. */
function closeWhenIdle(session: http2.ServerHttp2Session, idleMs: number): void {
  let streams = 0;
  let timer = setTimeout(() => session.close(), idleMs);
  session.on("stream", (stream) => {
    streams += 1;
    clearTimeout(timer);
    stream.once("close", () => {
      streams -= 1;
      if (streams > 0 || session.closed) return;
      timer = setTimeout(() => session.close(), idleMs);
    });
  });
  session.once("close", () => clearTimeout(timer));
}

/** Cuts a request that is neither complete nor being answered in time; HTTP/1.1 brings this along. */
function cutSlowRequest(stream: http2.ServerHttp2Stream, isUnanswered: () => boolean, ms: number): void {
  if (stream.endAfterHeaders) return;
  const timer = setTimeout(() => {
    // Nobody need have read the body, so only the protocol's own state knows whether it has come.
    if (stream.state?.state === http2.constants.NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE) return;
    if (isUnanswered()) stream.close(http2.constants.NGHTTP2_CANCEL);
  }, ms);
  stream.once("close", () => clearTimeout(timer));
}

/** Cuts answers nobody collects: complete on our side for at least `ms`, and still not taken. */
function cutUncollected(open: Iterable<NodeResponse | http2.ServerHttp2Stream>, ms: number): NodeJS.Timeout {
  let before = new Set<NodeResponse | http2.ServerHttp2Stream>();
  const cut = () => {
    const complete = new Set([...open].filter((response) => response.writableEnded));
    for (const response of complete) {
      if (!before.has(response)) continue;
      if (response instanceof http.ServerResponse) response.destroy();
      else ("stream" in response ? response.stream : response).close(http2.constants.NGHTTP2_CANCEL);
    }
    before = complete;
  };
  return setInterval(cut, ms).unref();
}
