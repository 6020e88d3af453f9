// Usage: node build.mjs OUTDIR
//
// Packages come from node_modules of the working directory, not of this file's: server/build.rs installs them
// beside Cargo's output, so that a build writes nothing into the source tree.

import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [outdir] = process.argv.slice(2);
if (!outdir) {
  console.error("usage: node build.mjs OUTDIR");
  process.exit(2);
}

const source = fileURLToPath(new URL(".", import.meta.url));
const packages = resolve("node_modules");
const esbuild = createRequire(join(packages, "_"))("esbuild");

const pages = await emptied("static");
const bundling = esbuild.build({
  absWorkingDir: source,
  entryPoints: { chat: "src/chat.ts", admin: "src/admin.ts", style: "styles/style.css" },
  outdir: pages,
  nodePaths: [packages],
  bundle: true,
  format: "esm",
  target: ["es2020", "chrome96", "firefox96", "safari15"],
  minify: true,
  legalComments: "none",
  logLevel: "warning",
});
await bundling.catch(() => process.exit(1)); // esbuild has said why
await copyFile(join(source, "assets/icon.svg"), join(pages, "icon.svg"));

// What a Socket.IO server serves to pages that load their client from it.
const client = join(packages, "socket.io-client");
const bundles = await emptied("socket.io");
for (const name of ["socket.io", "socket.io.min", "socket.io.esm.min", "socket.io.msgpack.min"]) {
  await copyFile(join(client, "dist", `${name}.js`), join(bundles, `${name}.js`));
  await copyFile(join(client, "dist", `${name}.js.map`), join(bundles, `${name}.js.map`));
}
const { version } = JSON.parse(await readFile(join(client, "package.json"), "utf8"));
await writeFile(join(bundles, "version"), version);

async function emptied(name) {
  const folder = resolve(outdir, name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return folder;
}
