/** The tools that read the code without running it, and the build; each is well or one failure. */
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run } from './process.ts';
import type { Environment, SuiteResult } from './suite.ts';

export interface Tool {
  readonly name: string;
  readonly command: readonly string[];
}

export const TOOLS = {
  check: [
    { name: 'biome (format, lint)', command: ['biome', 'check', '.'] },
    { name: 'tsc (types)', command: ['tsc', '-p', '.'] },
    { name: 'oxlint (promises, switches)', command: ['oxlint', '--type-aware'] },
  ],
  build: [{ name: 'build (dist/sheath.mjs)', command: ['node', 'bundle.mjs'] }],
} as const satisfies Record<string, readonly Tool[]>;

const TIMEOUT = 300;

export async function runTool(tool: Tool, environment: Environment): Promise<SuiteResult> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sheath-test-'));
  const began = performance.now();
  try {
    const log = path.join(folder, 'log');
    const end = await run(tool.command, {
      cwd: environment.root,
      env: { ...process.env, ...environment.variables },
      output: openSync(log, 'w'),
      timeoutSeconds: TIMEOUT,
      signal: environment.signal,
    });
    const well = end.type === 'exit' && end.code === 0;
    const failures = well
      ? []
      : [{ title: tool.command.join(' '), detail: readFileSync(log, 'utf8').trim() }];
    return { passed: 0, failures, seconds: (performance.now() - began) / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
