/** What the banner tells about a server that is up. */
export type BannerFacts = {
  version: string;
  /** Where it listens, scheme and port included. */
  url: string;
  /** For people, without a password. */
  database: string;
  /** The file that holds the administrator's token, if this server knows one. */
  adminTokenFile?: string | undefined;
  /** The token itself, if it was made just now and must be noted. */
  adminToken?: string | undefined;
};

/**
 * What a person reads when the server is up: where it is, and three commands to paste that show what it does.
 * Every line fits 80 columns unless an address or a path is long.
 */
export function banner({ version, url, database, adminTokenFile, adminToken }: BannerFacts): string {
  const token =
    adminTokenFile === undefined ? "$GATEHOUSE_ADMIN_TOKEN" : `$(cat ${shellWord(adminTokenFile)})`;
  const authorization = `-H "Authorization: Bearer ${token}"`;
  const sessions = `${reachable(url)}/v2/sessions`;
  return [
    "",
    `  Gatehouse ${version} is listening on ${url}`,
    "",
    `  Database        ${database}`,
    ...administratorLines(adminTokenFile, adminToken).map(
      (line, index) => `  ${index === 0 ? "Administrator" : "             "}   ${line}`,
    ),
    "",
    "  To see it work, paste these. Create a session and keep its id:",
    "",
    `    SESSION=$(curl -sS ${sessions} -d '{}' \\`,
    "      -H 'Content-Type: application/json' \\",
    `      ${authorization} |`,
    `      sed -n 's/.*"sessionId": *"\\([^"]*\\)".*/\\1/p'); echo "$SESSION"`,
    "",
    "  End it:",
    "",
    `    curl -sS -X DELETE "${sessions}/$SESSION" \\`,
    `      ${authorization}; echo`,
    "",
    "  Look at it again; it is gone:",
    "",
    `    curl -sS "${sessions}/$SESSION" \\`,
    `      ${authorization}; echo`,
    "",
    "",
  ].join("\n");
}

function administratorLines(file: string | undefined, token: string | undefined): string[] {
  if (token !== undefined) {
    return [
      token,
      ...(file === undefined
        ? [
            "shown this once; keep it, and for the commands below:",
            `export GATEHOUSE_ADMIN_TOKEN=${shellWord(token)}`,
          ]
        : [`shown this once; also kept in ${file}`]),
    ];
  }
  return [
    file === undefined
      ? "the token of GATEHOUSE_ADMIN_TOKEN when the database was created"
      : `token in ${file}`,
  ];
}

// "Every interface" is an address to listen on, not one to call.
const reachable = (url: string): string => url.replace(/\/\/(0\.0\.0\.0|\[::\])(?=[:/]|$)/, "//localhost");

const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
