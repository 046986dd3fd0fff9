import { release } from 'node:os';
import type { Register } from '../command.ts';
import { type OutputOptions, outputOption, render } from '../format/output.ts';
import { VERSION } from '../version.ts';

export const register: Register = (command, context) => {
  command.addOption(outputOption()).action(async ({ output }: OutputOptions) => {
    const value = { version: VERSION, node: process.versions.node, kernel: release() };
    const text = () => `sheath ${value.version} (Node.js ${value.node}, Linux ${value.kernel})\n`;
    context.out.write(await render(value, { output, text }));
  });
};
