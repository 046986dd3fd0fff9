import { release } from 'node:os';
import type { Register } from '../command.ts';
import type { Context } from '../context.ts';
import { type OutputOptions, outputOption, render } from '../format/output.ts';
import { renderTable } from '../format/table.ts';
import { viewOf } from '../format/view.ts';
import type { AccessFlags } from '../rollout/options.ts';
import { VERSION } from '../version.ts';

const EXAMPLES = `
Examples:
  sheath version             of this program
  sheath version --cluster   and of the agent on every node`;

interface Options extends OutputOptions, AccessFlags {
  readonly cluster?: boolean;
}

interface AgentVersion {
  readonly node: string;
  /** Null: no agent says anything there. */
  readonly version: string | null;
}

export const register: Register = (command, context) => {
  command
    .option('--cluster', 'the agents of the cluster too')
    .option('--kubeconfig <file>', 'how to reach the API server; implies --cluster')
    .option('--context <name>', 'which context of the kubeconfig; implies --cluster')
    .addOption(outputOption())
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      const { cluster, kubeconfig, context: named, output } = options;
      const wanted = cluster === true || kubeconfig !== undefined || named !== undefined;
      const agents = wanted ? await readAgents(options, context) : undefined;
      const value = {
        version: VERSION,
        node: process.versions.node,
        kernel: release(),
        ...(agents === undefined ? {} : { agents }),
      };
      const line = `sheath ${value.version} (Node.js ${value.node}, Linux ${value.kernel})\n`;
      const text = (wide: boolean) => line + (agents === undefined ? '' : table(agents, context, wide));
      context.out.write(await render(value, { output, text }));
    });
};

async function readAgents(flags: AccessFlags, context: Context): Promise<readonly AgentVersion[]> {
  const { RolloutCluster } = await import('../rollout/cluster.ts');
  const cluster = await RolloutCluster.open(flags, { context });
  try {
    return (await cluster.nodes()).map(({ name, record }) => ({
      node: name,
      version: record.agent?.version ?? null,
    }));
  } finally {
    cluster.close();
  }
}

function table(agents: readonly AgentVersion[], context: Context, wide: boolean): string {
  const { paint } = viewOf(context, { wide });
  return renderTable(agents, {
    paint,
    wide,
    columns: [
      { header: 'NODE', value: ({ node }) => node },
      {
        header: 'AGENT',
        value: ({ version }) => version ?? 'none',
        tone: ({ version }) => (version === VERSION ? undefined : 'warn'),
      },
    ],
  });
}
