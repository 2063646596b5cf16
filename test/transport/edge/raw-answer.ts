/** An answer as it came over the wire, bytes as characters. */
export type RawAnswer = {
  /** Status line and headers in their order; none if the connection was cut without. */
  head: string[];
  trailers: string[];
  body: string;
  /** Whether the server wants no more on this connection; over HTTP/2, how the stream was reset. */
  closed: boolean | number;
};

/** The answer without the one line that says when it was made. */
export const undated = ({ head, ...rest }: RawAnswer): RawAnswer => ({
  ...rest,
  head: head.filter((line) => !/^date: /i.test(line)),
});
