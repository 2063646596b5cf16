import type { DescMethodUnary, DescService } from "@bufbuild/protobuf";
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, MethodImpl, ServiceImpl } from "@connectrpc/connect";

/**
 * Serves `service` by the implementation of another one with the same methods and the same wire shape: an older
 * package of the same contract. Messages are carried over in binary, so that a field added to one of them is never
 * forgotten in a mapping.
 */
export function sameWireShape<Newer extends DescService, Older extends DescService>(
  service: Older,
  newer: Newer,
  implementation: ServiceImpl<Newer>,
): ServiceImpl<Older> {
  const methods = service.methods.map((method) => {
    const target = newer.method[method.localName] as DescMethodUnary | undefined;
    if (target?.methodKind !== "unary") throw new Error(`${newer.typeName} has no method ${method.name}`);
    const call = implementation[method.localName as keyof ServiceImpl<Newer>] as MethodImpl<DescMethodUnary>;
    const carried = async (request: MessageShape<DescMessage>, context: HandlerContext) => {
      const answer = await call(carry(method.input, request, target.input), context);
      return carry(target.output, create(target.output, answer as never), method.output);
    };
    return [method.localName, carried];
  });
  return Object.fromEntries(methods) as ServiceImpl<Older>;
}

function carry(
  from: DescMessage,
  message: MessageShape<DescMessage>,
  to: DescMessage,
): MessageShape<DescMessage> {
  return fromBinary(to, toBinary(from, message));
}
