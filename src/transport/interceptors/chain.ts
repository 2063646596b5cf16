import type { Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import { toConnectError } from "../error-mapping.ts";
import { accessLog } from "./access-log.ts";
import { type Authentication, authenticate } from "./authenticate.ts";
import { authorize } from "./authorize.ts";
import { mapErrors } from "./map-errors.ts";
import { type FindSession, readAhead } from "./read-ahead.ts";
import { validate } from "./validate.ts";

/** Everything a call passes on its way to the implementation, outermost first. */
export const interceptorChain = (
  logger: Logger,
  authentication: Authentication,
  findSession: FindSession,
): Interceptor[] => [
  accessLog(logger),
  mapErrors({ toConnectError, logger }),
  readAhead(findSession),
  authenticate(authentication),
  authorize(),
  validate(),
];
