import type { Register } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { formatConfig } from '../format/config.ts';
import { type OutputOptions, outputOption, render } from '../format/output.ts';
import { formatStatus, isWell } from '../format/status.ts';
import { viewOf } from '../format/view.ts';
import { addSourceOptions, chooseSource, type Source, type SourceOptions } from '../sources/options.ts';
import { type Look, look } from '../watch.ts';

const EXAMPLES = `
Examples:
  sheath status                     as the agent of this node sees it
  sheath status --config            every setting that holds, and who said so
  sheath status --watch             again whenever it changes
  sheath status --cluster -o json   every node, for a program

Exit codes: 0 all is encrypted, 1 it is not or something is wrong,
2 wrong usage, 3 neither agent nor API server answers.`;

interface Options extends OutputOptions, SourceOptions {
  readonly config?: boolean;
  readonly watch?: boolean;
}

interface Asked {
  readonly context: Context;
  readonly output: OutputOptions['output'];
  readonly config: boolean;
}

export const register: Register = (command, context) => {
  addSourceOptions(command)
    .addOption(outputOption())
    .option('--config', 'show every setting that holds, and who said so')
    .option('-w, --watch', 'show it again whenever it changes')
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      const source = chooseSource(options);
      const asked = { context, output: options.output, config: options.config ?? false };
      await look(context, () => take(source, asked), options.watch ?? false);
    });
};

function take(source: Source, asked: Asked): Promise<Look> {
  return source.kind === 'agent' ? takeNode(source, asked) : takeCluster(source, asked);
}

async function takeNode(
  source: Source & { kind: 'agent' },
  { context, output, config }: Asked,
): Promise<Look> {
  const status = await source.agent.status();
  const text = await render(config ? status.config : status, {
    output,
    text: (wide) => {
      const view = viewOf(context, { wide, now: status.now });
      return config ? formatConfig(status.config, view) : formatStatus(status, view);
    },
  });
  const { state, mode, rotation, waiting = [], peers, problems, refused } = status;
  const key = JSON.stringify([
    state,
    mode,
    rotation,
    waiting.map(({ node, code }) => [node, code]),
    config ? status.config : [],
    peers.map((peer) => [peer.node, peer.state, peer.reason?.code]),
    problems.map((problem) => [problem.node, problem.code]),
    refused.map((refusal) => [refusal.node, refusal.code]),
  ]);
  return { text, key, exitCode: config || isWell(status) ? EXIT.well : EXIT.wrong };
}

async function takeCluster(
  source: Source & { kind: 'cluster' },
  { context, output, config }: Asked,
): Promise<Look> {
  const { readCluster } = await import('../sources/cluster.ts');
  const { refusals } = await import('../sources/cluster-plan.ts');
  const { formatCluster, formatClusterConfig, clusterExitCode, clusterKey } = await import(
    '../format/cluster.ts'
  );
  const cluster = await readCluster(source, context);
  const report = { ...cluster, refused: refusals(cluster) };
  const value = config
    ? cluster.nodes.map(({ node, agent }) => ({ node, config: agent.answered ? agent.status.config : null }))
    : report;
  const text = await render(value, {
    output,
    text: (wide) => {
      const view = viewOf(context, { wide, now: cluster.now });
      return config ? formatClusterConfig(cluster, view) : formatCluster(report, view);
    },
  });
  return { text, key: clusterKey(report), exitCode: clusterExitCode(report) };
}
