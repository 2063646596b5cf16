import { create, type DescFile, type DescService, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type FieldDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import {
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../gen/grpc/reflection/v1/reflection_pb.js";
import {
  type ServerReflectionRequest as AlphaRequest,
  ServerReflectionRequestSchema as AlphaRequestSchema,
  type ServerReflectionResponse as AlphaResponse,
  ServerReflectionResponseSchema as AlphaResponseSchema,
  ServerReflection as ServerReflectionAlpha,
} from "../gen/grpc/reflection/v1alpha/reflection_pb.js";

type Answer = ServerReflectionResponse["messageResponse"];

/** A question is a name; nobody needs a mebibyte for it. */
const readMaxBytes = 4096;

/**
 * Registers server reflection, v1 and v1alpha (equal but for their names): what `grpcurl` and its kin ask before they
 * can call anything. Unknown names are answered in band, and the stream goes on.
 * @param services asked per stream, since these services are among them
 */
export function reflectionService(router: ConnectRouter, services: () => readonly DescService[]): void {
  let contract: Contract | undefined;

  async function* answerAll(
    requests: AsyncIterable<ServerReflectionRequest>,
  ): AsyncGenerator<ServerReflectionResponse> {
    contract ??= new Contract(services());
    for await (const originalRequest of requests) {
      yield create(ServerReflectionResponseSchema, {
        validHost: originalRequest.host,
        originalRequest,
        messageResponse: contract.answer(originalRequest.messageRequest),
      });
    }
  }

  router.service(ServerReflection, { serverReflectionInfo: answerAll }, { readMaxBytes });
  router.service(ServerReflectionAlpha, { serverReflectionInfo: answerAlpha }, { readMaxBytes });

  // The two versions are the same bytes.
  async function* answerAlpha(requests: AsyncIterable<AlphaRequest>): AsyncGenerator<AlphaResponse> {
    const translated = mapped(requests, (request) =>
      fromBinary(ServerReflectionRequestSchema, toBinary(AlphaRequestSchema, request)),
    );
    yield* mapped(answerAll(translated), (answer) =>
      fromBinary(AlphaResponseSchema, toBinary(ServerReflectionResponseSchema, answer)),
    );
  }
}

async function* mapped<A, B>(source: AsyncIterable<A>, map: (value: A) => B): AsyncGenerator<B> {
  for await (const value of source) yield map(value);
}

/** The registered services and every file they need, found by file name, symbol or extension number. */
class Contract {
  readonly #services: readonly string[];
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  readonly #extensions = new Map<string, Map<number, DescFile>>();

  constructor(services: readonly DescService[]) {
    this.#services = services.map((service) => service.typeName).sort();
    for (const service of services) this.#addFile(service.file);
  }

  answer(question: ServerReflectionRequest["messageRequest"]): Answer {
    switch (question.case) {
      case "listServices":
        return {
          case: "listServicesResponse",
          value: {
            $typeName: "grpc.reflection.v1.ListServiceResponse",
            service: this.#services.map((name) => ({
              $typeName: "grpc.reflection.v1.ServiceResponse",
              name,
            })),
          },
        };
      case "fileByFilename":
        return fileAnswer(this.#files.get(question.value), `file ${question.value}`);
      case "fileContainingSymbol":
        return fileAnswer(this.#symbols.get(question.value), `symbol ${question.value}`);
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = question.value;
        const file = this.#extensions.get(containingType)?.get(extensionNumber);
        return fileAnswer(file, `extension ${extensionNumber} of ${containingType}`);
      }
      case "allExtensionNumbersOfType": {
        if (!this.#symbols.has(question.value))
          return errorAnswer(Code.NotFound, `type ${question.value} not found`);
        return {
          case: "allExtensionNumbersResponse",
          value: {
            $typeName: "grpc.reflection.v1.ExtensionNumberResponse",
            baseTypeName: question.value,
            extensionNumber: [...(this.#extensions.get(question.value)?.keys() ?? [])],
          },
        };
      }
      default:
        return errorAnswer(Code.InvalidArgument, "the request asks nothing");
    }
  }

  #addFile(file: DescFile): void {
    if (this.#files.has(file.proto.name)) return;
    this.#files.set(file.proto.name, file);
    for (const dependency of file.dependencies) this.#addFile(dependency);

    const { proto } = file;
    const scope = proto.package === "" ? "" : `${proto.package}.`;
    for (const message of proto.messageType) this.#addMessage(file, scope, message);
    for (const type of proto.enumType) this.#symbols.set(scope + type.name, file);
    for (const extension of proto.extension) this.#addExtension(file, scope, extension);
    for (const service of proto.service) {
      this.#symbols.set(scope + service.name, file);
      for (const method of service.method) this.#symbols.set(`${scope}${service.name}.${method.name}`, file);
    }
  }

  #addMessage(file: DescFile, scope: string, message: DescriptorProto): void {
    const name = scope + message.name;
    this.#symbols.set(name, file);
    for (const field of message.field) this.#symbols.set(`${name}.${field.name}`, file);
    for (const nested of message.nestedType) this.#addMessage(file, `${name}.`, nested);
    for (const nested of message.enumType) this.#symbols.set(`${name}.${nested.name}`, file);
    for (const extension of message.extension) this.#addExtension(file, `${name}.`, extension);
  }

  #addExtension(file: DescFile, scope: string, extension: FieldDescriptorProto): void {
    this.#symbols.set(scope + extension.name, file);
    const extendee = extension.extendee.replace(/^\./, "");
    const numbers = this.#extensions.get(extendee) ?? new Map<number, DescFile>();
    this.#extensions.set(extendee, numbers.set(extension.number, file));
  }
}

/** The file and everything it imports, so that the caller need not ask again; each before what it imports. */
function fileAnswer(file: DescFile | undefined, asked: string): Answer {
  if (file === undefined) return errorAnswer(Code.NotFound, `${asked} not found`);
  const visited = new Set<DescFile>();
  const files: DescFile[] = [];
  const visit = (needed: DescFile): void => {
    if (visited.has(needed)) return;
    visited.add(needed);
    needed.dependencies.forEach(visit);
    files.unshift(needed);
  };
  visit(file);
  return {
    case: "fileDescriptorResponse",
    value: {
      $typeName: "grpc.reflection.v1.FileDescriptorResponse",
      fileDescriptorProto: files.map((needed) => toBinary(FileDescriptorProtoSchema, needed.proto)),
    },
  };
}

const errorAnswer = (errorCode: Code, errorMessage: string): Answer => ({
  case: "errorResponse",
  value: { $typeName: "grpc.reflection.v1.ErrorResponse", errorCode, errorMessage },
});
