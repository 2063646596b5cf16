import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../../src/gen/grpc/reflection/v1/reflection_pb.js";
import { healthService, Serving } from "../../src/transport/health-service.ts";
import { reflectionService } from "../../src/transport/reflection-service.ts";
import { startServer } from "./server.ts";

type Question = ServerReflectionRequest["messageRequest"];

const started = () =>
  startServer({
    routes(router, services) {
      healthService(router, new Serving(), services);
      reflectionService(router, services);
    },
  });

/** Asks all questions on one stream, with a client that shares no code with the server. */
async function ask(
  port: number,
  version: string,
  questions: Question[],
): Promise<ServerReflectionResponse[]> {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  try {
    const stream = client.makeBidiStreamRequest(
      `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      (question: Question) =>
        Buffer.from(
          toBinary(
            ServerReflectionRequestSchema,
            create(ServerReflectionRequestSchema, { host: "here", messageRequest: question }),
          ),
        ),
      (bytes: Buffer) => fromBinary(ServerReflectionResponseSchema, new Uint8Array(bytes)),
    );
    for (const question of questions) stream.write(question);
    stream.end();
    const answers: ServerReflectionResponse[] = [];
    for await (const answer of stream) answers.push(answer);
    return answers;
  } finally {
    client.close();
  }
}

const symbol = (value: string): Question => ({ case: "fileContainingSymbol", value });

function filesOf(response: ServerReflectionResponse | undefined) {
  if (response?.messageResponse.case !== "fileDescriptorResponse") throw new Error(JSON.stringify(response));
  return response.messageResponse.value.fileDescriptorProto.map((bytes) =>
    fromBinary(FileDescriptorProtoSchema, bytes),
  );
}

describe.each(["v1", "v1alpha"])("grpc.reflection.%s", (version) => {
  test("lists every service, itself included", async () => {
    const { port } = await started();
    const [answer] = await ask(port, version, [{ case: "listServices", value: "*" }]);
    expect(answer).toMatchObject({
      validHost: "here",
      originalRequest: { messageRequest: { case: "listServices" } },
    });
    const { messageResponse } = answer!;
    if (messageResponse.case !== "listServicesResponse") throw new Error("another answer");
    expect(messageResponse.value.service.map((service) => service.name)).toEqual([
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "zitadel.session.v2.SessionService",
    ]);
  });

  test("gives all that is needed to call a method, so that a client without the contract can", async () => {
    const { port } = await started();
    const [answer] = await ask(port, version, [symbol("zitadel.session.v2.SessionService")]);
    const files = filesOf(answer);
    expect(files[0]!.name).toBe("zitadel/session/v2/session_service.proto");
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: files.toReversed() }));
    const service = registry.getService("zitadel.session.v2.SessionService");
    expect(service!.method.getSession!.input.field.sessionId!.number).toBe(1);
  });

  test.each([
    ["a method", "zitadel.session.v2.SessionService.GetSession", "zitadel/session/v2/session_service.proto"],
    ["a message", "zitadel.session.v2.GetSessionRequest", "zitadel/session/v2/session_service.proto"],
    [
      "a nested message",
      "zitadel.session.v2.RequestChallenges.WebAuthN",
      "zitadel/session/v2/challenge.proto",
    ],
    [
      "a field",
      "zitadel.session.v2.GetSessionRequest.session_id",
      "zitadel/session/v2/session_service.proto",
    ],
    ["an enum", "zitadel.session.v2.UserVerificationRequirement", "zitadel/session/v2/challenge.proto"],
    ["an extension", "google.api.http", "google/api/annotations.proto"],
    ["an imported message", "google.protobuf.Duration", "google/protobuf/duration.proto"],
  ])("finds the file of %s", async (_, name, file) => {
    const { port } = await started();
    const [answer] = await ask(port, version, [symbol(name)]);
    expect(filesOf(answer)[0]!.name).toBe(file);
  });

  test("answers questions about files and extensions, and what it does not know in band", async () => {
    const { port } = await started();
    const options = "google.protobuf.MethodOptions";
    const answers = await ask(port, version, [
      { case: "fileByFilename", value: "google/api/http.proto" },
      {
        case: "fileContainingExtension",
        value: { containingType: options, extensionNumber: 72295728 } as never,
      },
      { case: "allExtensionNumbersOfType", value: options },
      { case: "allExtensionNumbersOfType", value: "google.protobuf.Duration" },
      { case: "fileByFilename", value: "nothing.proto" },
      symbol("zitadel.session.v2.Nothing"),
      { case: "fileContainingExtension", value: { containingType: options, extensionNumber: 1 } as never },
      { case: "allExtensionNumbersOfType", value: "nothing" },
      { case: undefined },
      symbol("zitadel.session.v2.Session"),
    ]);
    expect(filesOf(answers[0])[0]!.name).toBe("google/api/http.proto");
    expect(filesOf(answers[1])[0]!.name).toBe("google/api/annotations.proto");
    const numbers = (answer?: ServerReflectionResponse) => {
      if (answer?.messageResponse.case !== "allExtensionNumbersResponse") throw new Error("another answer");
      return [...answer.messageResponse.value.extensionNumber].sort((a, b) => a - b);
    };
    expect(numbers(answers[2])).toEqual([50100, 50101, 72295728]);
    expect(numbers(answers[3])).toEqual([]);
    const codes = answers
      .slice(4, 9)
      .map(({ messageResponse }) =>
        messageResponse.case === "errorResponse" ? messageResponse.value.errorCode : 0,
      );
    expect(codes).toEqual([5, 5, 5, 5, 3]);
    expect(filesOf(answers[9])[0]!.name).toBe("zitadel/session/v2/session.proto");
  });
});

test("a question of a mebibyte is refused", async () => {
  const { port } = await started();
  await expect(ask(port, "v1", [symbol("x".repeat(100_000))])).rejects.toMatchObject({ code: 8 });
});
