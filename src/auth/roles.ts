/** Which roles hold a permission (spec authorization §7); only what this server asks for is listed. */
const holders = {
  "session.read": [
    "IAM_OWNER",
    "IAM_OWNER_VIEWER",
    "IAM_ORG_MANAGER",
    "IAM_USER_MANAGER",
    "ORG_OWNER",
    "IAM_LOGIN_CLIENT",
    "ORG_USER_MANAGER",
  ],
  "session.write": ["IAM_OWNER", "IAM_LOGIN_CLIENT"],
  "session.delete": [
    "IAM_OWNER",
    "IAM_ORG_MANAGER",
    "IAM_USER_MANAGER",
    "ORG_OWNER",
    "IAM_LOGIN_CLIENT",
    "ORG_USER_MANAGER",
  ],
  "user.read": [
    "IAM_OWNER",
    "IAM_OWNER_VIEWER",
    "IAM_ORG_MANAGER",
    "IAM_USER_MANAGER",
    "ORG_OWNER",
    "IAM_LOGIN_CLIENT",
    "ORG_USER_MANAGER",
    "ORG_OWNER_VIEWER",
    "ORG_USER_PERMISSION_EDITOR",
    "ORG_PROJECT_PERMISSION_EDITOR",
  ],
  "user.write": [
    "IAM_OWNER",
    "IAM_ORG_MANAGER",
    "IAM_USER_MANAGER",
    "ORG_OWNER",
    "IAM_LOGIN_CLIENT",
    "ORG_USER_MANAGER",
  ],
  "user.credential.write": ["IAM_OWNER", "IAM_ORG_MANAGER", "ORG_OWNER", "IAM_LOGIN_CLIENT"],
  "user.passkey.write": ["IAM_OWNER", "IAM_ORG_MANAGER", "IAM_USER_MANAGER", "ORG_OWNER", "IAM_LOGIN_CLIENT"],
  "user.delete": ["IAM_OWNER", "IAM_ORG_MANAGER", "IAM_USER_MANAGER", "ORG_OWNER", "ORG_USER_MANAGER"],
  "user.self.delete": ["ORG_USER_SELF_MANAGER"],
  "org.read": [
    "IAM_OWNER",
    "IAM_OWNER_VIEWER",
    "IAM_ORG_MANAGER",
    "IAM_USER_MANAGER",
    "ORG_OWNER",
    "IAM_LOGIN_CLIENT",
    "ORG_USER_MANAGER",
    "ORG_OWNER_VIEWER",
    "ORG_SETTINGS_MANAGER",
    "ORG_USER_PERMISSION_EDITOR",
    "ORG_PROJECT_PERMISSION_EDITOR",
  ],
  "org.write": ["IAM_OWNER", "IAM_ORG_MANAGER", "ORG_OWNER", "ORG_SETTINGS_MANAGER"],
  // Our choice, as for adding one: what goes with an organization is more than its own owner can give back.
  "org.delete": ["IAM_OWNER", "IAM_ORG_MANAGER"],
  "org.member.read": [
    "IAM_OWNER",
    "IAM_OWNER_VIEWER",
    "IAM_ORG_MANAGER",
    "IAM_USER_MANAGER",
    "ORG_OWNER",
    "IAM_LOGIN_CLIENT",
    "ORG_OWNER_VIEWER",
    "ORG_SETTINGS_MANAGER",
    "ORG_USER_PERMISSION_EDITOR",
    "ORG_PROJECT_PERMISSION_EDITOR",
  ],
  "org.member.write": ["IAM_OWNER", "IAM_ORG_MANAGER", "ORG_OWNER", "IAM_LOGIN_CLIENT"],
  "org.member.delete": ["IAM_OWNER", "IAM_ORG_MANAGER", "ORG_OWNER"],
  "org.idp.read": [
    "IAM_OWNER",
    "IAM_OWNER_VIEWER",
    "IAM_ORG_MANAGER",
    "ORG_OWNER",
    "IAM_LOGIN_CLIENT",
    "ORG_OWNER_VIEWER",
    "ORG_SETTINGS_MANAGER",
  ],
  "org.idp.write": ["IAM_OWNER", "IAM_ORG_MANAGER", "ORG_OWNER", "ORG_SETTINGS_MANAGER"],
  "policy.read": [
    "IAM_OWNER",
    "IAM_OWNER_VIEWER",
    "IAM_ORG_MANAGER",
    "ORG_OWNER",
    "IAM_LOGIN_CLIENT",
    "ORG_USER_MANAGER",
    "ORG_OWNER_VIEWER",
    "ORG_SETTINGS_MANAGER",
    "ORG_USER_PERMISSION_EDITOR",
    "ORG_PROJECT_PERMISSION_EDITOR",
    "ORG_PROJECT_CREATOR",
    "ORG_USER_SELF_MANAGER",
  ],
  "policy.write": ["IAM_OWNER", "IAM_ORG_MANAGER", "ORG_OWNER", "ORG_SETTINGS_MANAGER"],
  "policy.delete": ["IAM_OWNER", "IAM_ORG_MANAGER", "ORG_OWNER", "ORG_SETTINGS_MANAGER"],
  "iam.read": ["IAM_OWNER", "IAM_OWNER_VIEWER", "IAM_LOGIN_CLIENT"],
  "iam.write": ["IAM_OWNER"],
  "iam.policy.read": ["IAM_OWNER", "IAM_OWNER_VIEWER", "IAM_LOGIN_CLIENT"],
  "iam.policy.write": ["IAM_OWNER"],
  "iam.idp.read": ["IAM_OWNER", "IAM_OWNER_VIEWER", "IAM_LOGIN_CLIENT"],
  "iam.idp.write": ["IAM_OWNER"],
  "iam.member.delete": ["IAM_OWNER"],
  "iam.member.read": ["IAM_OWNER", "IAM_OWNER_VIEWER", "IAM_LOGIN_CLIENT"],
  "iam.member.write": ["IAM_OWNER", "IAM_LOGIN_CLIENT"],
} as const;

export type Permission = keyof typeof holders;

export function isPermission(text: string): text is Permission {
  return Object.hasOwn(holders, text);
}

/** Roles a user can be given on the instance. */
export const INSTANCE_ROLES: ReadonlySet<string> = new Set([
  "IAM_OWNER",
  "IAM_OWNER_VIEWER",
  "IAM_ORG_MANAGER",
  "IAM_USER_MANAGER",
  "IAM_ADMIN_IMPERSONATOR",
  "IAM_END_USER_IMPERSONATOR",
  "IAM_LOGIN_CLIENT",
]);

/** Roles a user can be given on an organization. */
export const ORGANIZATION_ROLES: ReadonlySet<string> = new Set([
  "ORG_OWNER",
  "ORG_OWNER_VIEWER",
  "ORG_USER_MANAGER",
  "ORG_USER_PERMISSION_EDITOR",
  "ORG_PROJECT_PERMISSION_EDITOR",
  "ORG_PROJECT_CREATOR",
  "ORG_SETTINGS_MANAGER",
  "ORG_USER_SELF_MANAGER",
  "ORG_ADMIN_IMPERSONATOR",
  "ORG_END_USER_IMPERSONATOR",
]);

const holderSets = Object.fromEntries(
  Object.entries(holders).map(([permission, roles]) => [permission, new Set<string>(roles)]),
) as unknown as { [permission in Permission]: ReadonlySet<string> };

export function grants(roles: readonly string[], permission: Permission): boolean {
  return roles.some((role) => holderSets[permission].has(role));
}
