import { promisify } from "node:util";
import * as zlib from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";

const compress = promisify<Uint8Array, Buffer<ArrayBuffer>>(zlib.gzip);
const decompress = promisify<Uint8Array, zlib.ZlibOptions, Buffer<ArrayBuffer>>(zlib.gunzip);

/** Answers below this size go out as they are: compressing them costs more than it saves. */
export const compressMinBytes = 1024;

/**
 * gzip, the one compression we speak. Unlike the stock one it calls every broken body the caller's fault
 * (INVALID_ARGUMENT); above the limit it is RESOURCE_EXHAUSTED, and nothing beyond the limit is ever unpacked.
 */
export const gzip: Compression = {
  name: "gzip",
  compress: (bytes) => compress(bytes),
  async decompress(bytes, maxBytes) {
    if (bytes.byteLength === 0) return new Uint8Array(0);
    try {
      return await decompress(bytes, { maxOutputLength: maxBytes });
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE"
        ? new ConnectError(
            `the request body is larger than ${maxBytes} bytes after decompression`,
            Code.ResourceExhausted,
          )
        : new ConnectError("the request body is not valid gzip", Code.InvalidArgument);
    }
  },
};
