/** Who reads on the wire: the numbers of packets that cross it in clear. */
import { type ChildProcess, spawn } from 'node:child_process';
import { PcapReader } from '../../../lab/capture/pcap.ts';
import { exited } from '../../../lab/processes.ts';

export class Wire {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** @param port of the packets, whose first four bytes are their number; resolves when it listens */
  static async listen(netns: string, port: number, onClear: (number: number) => void): Promise<Wire> {
    const tcpdump = ['tcpdump', '-i', 'br0', '-w', '-', '--immediate-mode', '-U', '-Z', 'root'];
    const child = spawn('ip', ['netns', 'exec', netns, ...tcpdump, `udp dst port ${port}`], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const reader = new PcapReader(({ bytes }) => onClear(bytes.readUInt32BE(bytes.length - 4)));
    child.stdout.on('data', (chunk: Buffer) => reader.push(chunk));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('listening on')) resolve();
    });
    child.once('close', () => reject(new Error(`tcpdump: ${said}`)));
    await promise;
    return new Wire(child);
  }

  async close(): Promise<void> {
    this.#process.kill('SIGKILL');
    await exited(this.#process);
  }
}
