import type { Register } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT, usageError } from '../exit.ts';
import { type OutputOptions, outputOption, render } from '../format/output.ts';
import { agentPeers, formatPeer, formatPeers, formatRefused, type PeerRow } from '../format/peers.ts';
import { viewOf } from '../format/view.ts';
import { addSourceOptions, chooseSource, type Source, type SourceOptions } from '../sources/options.ts';
import { type Look, look } from '../watch.ts';

const EXAMPLES = `
Examples:
  sheath peers                   the peers of this node, as its agent sees them
  sheath peers n2                everything about one peer
  sheath peers -o wide --watch   with drivers, keys and reasons, again and again
  sheath peers --cluster n2      n2 as the others see it, and they as n2 does

With IPsec, HANDSHAKE is the age of the session's child SA, and REKEY the time
until the next session takes its place. Of the IKE SA and the algorithms tell
'sheath peers NODE' and -o wide; SPIs are shown with -o wide only.`;

interface Options extends OutputOptions, SourceOptions {
  readonly watch?: boolean;
}

export const register: Register = (command, context) => {
  addSourceOptions(command)
    .usage('[NODE] [flags]')
    .argument('[node]', 'only what concerns this node')
    .addOption(outputOption())
    .option('-w, --watch', 'show it again whenever it changes')
    .addHelpText('after', EXAMPLES)
    .action(async (node: string | undefined, options: Options) => {
      const source = chooseSource(options);
      await look(
        context,
        () => take(source, { node, context, output: options.output }),
        options.watch ?? false,
      );
    });
};

async function take(
  source: Source,
  asked: { node: string | undefined; context: Context; output: OutputOptions['output'] },
): Promise<Look> {
  const { rows: all, known, now } = await readPeers(source, asked.context);
  const rows = asked.node === undefined ? all : concerning(asked.node, all, known);
  const one = asked.node !== undefined && rows.length === 1 ? rows[0] : undefined;
  const text = await render(one ?? rows, {
    output: asked.output,
    text: (wide) => {
      const view = viewOf(asked.context, { wide, now });
      if (one !== undefined) return formatPeer(one, view);
      return formatPeers(rows, view) + (asked.node === undefined ? '' : formatRefused(rows, view));
    },
  });
  const key = rows
    .map(({ seenBy, node, state, generation, driver, endpoint, refused = [] }) =>
      [seenBy, node, state, generation, driver, endpoint, ...refused.map(({ code }) => code)].join(' '),
    )
    .join('\n');
  return { text, key, exitCode: rows.every((row) => row.state === 'routed') ? EXIT.well : EXIT.wrong };
}

interface Peers {
  readonly rows: readonly PeerRow[];
  /** All names there are. */
  readonly known: readonly string[];
  readonly now: number;
}

async function readPeers(source: Source, context: Context): Promise<Peers> {
  if (source.kind === 'cluster') {
    const { readCluster } = await import('../sources/cluster.ts');
    const { clusterPeers } = await import('../sources/cluster-plan.ts');
    const cluster = await readCluster(source, context);
    return { rows: clusterPeers(cluster), known: cluster.nodes.map(({ node }) => node), now: cluster.now };
  }
  const status = await source.agent.status();
  const rows = agentPeers(status);
  return { rows, known: [status.node, ...rows.map((row) => row.node)], now: status.now };
}

function concerning(node: string, rows: readonly PeerRow[], known: readonly string[]): readonly PeerRow[] {
  if (!known.includes(node)) {
    const shown = known.slice(0, 5).join(', ');
    throw usageError(`no such Node: ${node}; there are ${shown}${known.length > 5 ? ', …' : ''}`);
  }
  return rows.filter((row) => row.node === node || row.seenBy === node);
}
