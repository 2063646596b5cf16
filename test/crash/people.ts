import { pbkdf2Sync } from "node:crypto";
import { uuidV7 } from "../../src/crypto/random-ids.ts";
import { organizationAggregate } from "../../src/organization/organization.ts";
import { projections } from "../../src/projections/projections.ts";
import { change, type Recorded } from "../../src/storage/aggregate.ts";
import type { OpenDatabase } from "../../src/storage/database.ts";
import { EventRepository } from "../../src/storage/event-repository.ts";
import { OrganizationRepository } from "../../src/storage/organization-repository.ts";
import { initialUser, userAggregate } from "../../src/user/user.ts";
import type { TestDatabase } from "../support/databases.ts";

export const PASSWORD = "Correct-Horse-7";

/** {@link PASSWORD}, hashed elsewhere. One round is so cheap that a thousand checks cost nothing. */
export function importedHash(rounds: number): string {
  const salt = Buffer.from("salt-of-the-tests");
  const text = (bytes: Buffer) => bytes.toString("base64").replace(/=+$/, "").replaceAll("+", ".");
  return `$pbkdf2-sha256$${rounds}$${text(salt)}$${text(pbkdf2Sync(PASSWORD, salt, rounds, 32, "sha256"))}`;
}

/**
 * A person with {@link PASSWORD}, in the default organization.
 * @param encodedHash another hash, for checks that take their time
 * @returns the user's id
 */
export async function addHuman(opened: OpenDatabase, encodedHash = importedHash(1)): Promise<string> {
  const id = uuidV7();
  const { defaultOrganizationId } = (await new OrganizationRepository(opened.db).instance())!;
  await new EventRepository(opened.db, projections).append([
    change(
      userAggregate,
      initialUser(id),
      [
        {
          type: "user.human.added",
          payload: {
            organizationId: defaultOrganizationId,
            userName: `mia-${id}`,
            firstName: "Mia",
            lastName: "Example",
            displayName: "Mia Example",
            email: "mia@example.com",
            encodedHash,
          },
        },
      ],
      "tester",
    ),
  ]);
  return id;
}

/** So many wrong passwords lock a user of the default organization. */
export async function lockAfter(opened: OpenDatabase, maxPasswordAttempts: number): Promise<void> {
  const organizations = new OrganizationRepository(opened.db);
  const { defaultOrganizationId } = (await organizations.instance())!;
  const home = (await organizations.find(defaultOrganizationId))!;
  await new EventRepository(opened.db, projections).append([
    change(
      organizationAggregate,
      home,
      [{ type: "org.policy.lockout.added", payload: { maxPasswordAttempts } }],
      "tester",
    ),
  ]);
}

/** The event types of one aggregate, oldest first, read beside the servers. */
export async function eventTypes(
  database: TestDatabase,
  type: "session" | "user",
  id: string,
): Promise<string[]> {
  const opened = await database.open();
  try {
    const stream: Recorded[] = await new EventRepository(opened.db, projections).readStream(type, id);
    return stream.map((event) => event.type);
  } finally {
    await opened.close();
  }
}
