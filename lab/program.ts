import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

/** argv that starts this program again, from a bundle or from its sources, on the same Node. */
export function labProgram(): readonly string[] {
  const [node = process.execPath, script = ''] = process.argv;
  if (/^sheath(\.mjs)?$/.test(basename(script))) return [node, script];
  const main = fileURLToPath(new URL('../cli/sheath.ts', import.meta.url));
  return [process.execPath, '--conditions=source', '--disable-warning=ExperimentalWarning', main];
}
