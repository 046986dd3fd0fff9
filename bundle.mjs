/**
 * `npm run build`: the program as `dist/sheath.mjs`, an executable, with lazily loaded chunks beside it.
 * `node bundle.mjs FOLDER` builds it there.
 *
 * `netlink` stays outside: it is a native addon. Dependencies that are CommonJS ask for Node's own modules with
 * `require`, which an ES module has not: the banner gives them one.
 */
import { chmod, readdir, rename, rm, stat } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('.', import.meta.url));
const OUT = resolve(process.argv[2] ?? `${ROOT}dist`);
// Built beside and swapped in: whoever starts the program meanwhile finds a whole one.
const NEXT = `${OUT}.${process.pid}`;

/**
 * An import of `node:http` reads all its exports, and one of them loads undici, which nobody here needs: 4 MiB. `require` reads
 * those that are asked for.
 */
const requireHttp = {
  name: 'require node:http',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:http$/ }, ({ kind, path }) =>
      kind === 'require-call' ? undefined : { path, namespace: 'required' },
    );
    onLoad({ filter: /./, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)})`,
    }));
  },
};

await build({
  absWorkingDir: ROOT,
  entryPoints: { sheath: 'cli/sheath.ts' },
  outdir: NEXT,
  outExtension: { '.js': '.mjs' },
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.19',
  conditions: ['source'],
  external: ['netlink'],
  plugins: [requireHttp],
  // Names of classes and functions stand in errors and logs.
  minifyWhitespace: true,
  minifySyntax: true,
  banner: {
    js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
  },
  legalComments: 'external',
  logLevel: 'warning',
});

await chmod(`${NEXT}/sheath.mjs`, 0o755);
await rm(OUT, { recursive: true, force: true });
await rename(NEXT, OUT);
const sizes = await Promise.all(
  (await readdir(OUT, { recursive: true }))
    .filter((name) => name.endsWith('.mjs'))
    .map(async (name) => (await stat(`${OUT}/${name}`)).size),
);
const total = sizes.reduce((sum, size) => sum + size, 0);
console.log(
  `${relative(process.cwd(), OUT)}/sheath.mjs and ${sizes.length - 1} chunks, ${Math.round(total / 1024)} KiB`,
);
