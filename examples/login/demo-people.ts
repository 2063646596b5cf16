import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { InternalPermissionService } from "../../src/gen/zitadel/internal_permission/v2/internal_permission_service_pb.js";
import { OrganizationService } from "../../src/gen/zitadel/org/v2/org_service_pb.js";
import { UserService } from "../../src/gen/zitadel/user/v2/user_service_pb.js";

/** Who is there to try the page with: a person, and the machine user as which the login server calls Gatehouse. */
export type DemoPeople = { loginName: string; password: string; loginClientToken: string };

const LOGIN_NAME = "mia@example.com";
const YEAR_MS = 365 * 24 * 60 * 60 * 1_000;

/**
 * Makes both on the first start, through the public API. What was made is kept beside the database, readable by its
 * owner only, since neither the password nor the token can be asked for again.
 */
export async function demoPeople(url: string, adminToken: string, dataDir: string): Promise<DemoPeople> {
  const path = join(dataDir, "example-login.json");
  const kept = await readFile(path, "utf8").catch(() => undefined);
  if (kept !== undefined) return JSON.parse(kept) as DemoPeople;
  const people = await makePeople(url, adminToken);
  await writeFile(path, `${JSON.stringify(people, undefined, 2)}\n`, { mode: 0o600 });
  return people;
}

async function makePeople(url: string, adminToken: string): Promise<DemoPeople> {
  const transport = createConnectTransport({
    baseUrl: url,
    httpVersion: "1.1",
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", `Bearer ${adminToken}`);
        return next(request);
      },
    ],
  });
  const users = createClient(UserService, transport);
  const organizations = createClient(OrganizationService, transport);
  const administrators = createClient(InternalPermissionService, transport);

  const { result } = await organizations.listOrganizations({
    queries: [{ query: { case: "defaultQuery", value: {} } }],
  });
  const organizationId = result[0]!.id;
  const password = `Gate-${randomBytes(4).toString("hex")}-7`;

  await unlessThere(
    users.createUser({
      organizationId,
      userId: "mia",
      username: LOGIN_NAME,
      userType: {
        case: "human",
        value: {
          profile: { givenName: "Mia", familyName: "Example" },
          // Both verified, so that codes may be sent there.
          email: { email: LOGIN_NAME, verification: { case: "isVerified", value: true } },
          phone: { phone: "+41791234567", verification: { case: "isVerified", value: true } },
        },
      },
    }),
  );
  await users.setPassword({ userId: "mia", newPassword: { password } });

  await unlessThere(
    users.createUser({
      organizationId,
      userId: "login-client",
      username: "login-client",
      userType: { case: "machine", value: { name: "Login page" } },
    }),
  );
  await unlessThere(
    administrators.createAdministrator({
      userId: "login-client",
      resource: { resource: { case: "instance", value: true } },
      // The one role made for login pages: it signs people in and cannot administer anything.
      roles: ["IAM_LOGIN_CLIENT"],
    }),
  );
  const { token } = await users.addPersonalAccessToken({
    userId: "login-client",
    expirationDate: timestampFromDate(new Date(Date.now() + YEAR_MS)),
  });
  return { loginName: LOGIN_NAME, password, loginClientToken: token };
}

/** A first start that was interrupted has made some of them already. */
async function unlessThere(creation: Promise<unknown>): Promise<void> {
  await creation.catch((reason) => {
    const { code, rawMessage } = ConnectError.from(reason);
    const isThere =
      code === Code.AlreadyExists || (code === Code.FailedPrecondition && /exists/.test(rawMessage));
    if (!isThere) throw reason;
  });
}
