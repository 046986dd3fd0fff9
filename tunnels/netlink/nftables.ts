/** The one question to nftables that is not worth starting nft(8) for (linux/netfilter/nf_tables.h). */
import { codeOf } from '../failure.ts';
import { type Encode, RequestSocket } from './socket.ts';

const NETLINK_NETFILTER = 12;
/** NFNL_SUBSYS_NFTABLES and NFT_MSG_GETTABLE. */
const GET_TABLE = (10 << 8) | 1;
const NFTA_TABLE_NAME = 1;
const NFPROTO_INET = 1;

/** Whether there is a table `inet NAME`. @throws NetlinkError when the kernel refuses to say. */
export async function hasTable(name: string): Promise<boolean> {
  const socket = new RequestSocket(NETLINK_NETFILTER);
  const encode: Encode = (writer) => {
    writer.begin(GET_TABLE, 0);
    writer.struct([NFPROTO_INET, 0, 0, 0]);
    writer.string(NFTA_TABLE_NAME, name);
  };
  try {
    await socket.dump(
      encode,
      () => undefined,
      () => undefined,
    );
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  } finally {
    socket.close();
  }
}
