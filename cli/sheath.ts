#!/usr/bin/env node
/**
 * The executable. It holds nothing but the check of Node's version, so that an old Node can still read this file and say
 * what is missing; everything else is loaded after it.
 */
const NEEDED = [22, 19] as const;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  process.stderr.write(
    `sheath: needs Node.js ${NEEDED.join('.')} or newer, this is ${process.versions.node}; ` +
      'run it as: node_modules/.bin/node dist/sheath.mjs … (npm ci brings that Node)\n',
  );
  process.exitCode = 2;
} else {
  const { start } = await import('./start.ts');
  await start();
}
