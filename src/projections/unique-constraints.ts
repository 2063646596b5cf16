import type { ErrorSlug } from "../errors.ts";

/** What a unique index refuses, in the domain's words. */
export const uniqueConstraints: Readonly<Record<string, ErrorSlug>> = {
  users_username_key: "user.name_exists",
  idp_links_external_user: "user.idp_link_exists",
  organizations_name_key: "organization.exists",
  organizations_primary_domain: "organization.exists",
};
