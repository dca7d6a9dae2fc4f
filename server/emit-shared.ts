/**
 * One packet for many sockets, encoded and framed once.
 *
 * Socket.IO does so for a room, whose sockets all get the same; followers get what each has room for, and encoding anew
 * for each is most of what one costs. This does what its in-memory adapter does in `broadcast`, with the same inner parts;
 * the version is pinned, and the tests of sockets fail should they change.
 */
import type { Socket } from 'socket.io';

type PacketOptions = { preEncoded: true; wsPreEncodedFrame?: unknown };
type Packet = { type: number; data: unknown[]; nsp: string };
type Inner = {
  connected: boolean;
  client: { writeToEngine(packets: unknown[], options: PacketOptions): void };
  nsp: { name: string; adapter: { _encode(packet: Packet, options: PacketOptions): unknown[] } };
};
type Encoded = { packets: unknown[]; options: PacketOptions };

/** The number of an event in Socket.IO's protocol. */
const eventPacket = 2;

/** What each content was encoded as; it goes with the content. */
const encodings = new WeakMap<object, Encoded>();

/** Emits `event` with `subject` and `content`: encoded once for all who get this very `content`, always with the same rest. */
export function emitShared(
  socket: Pick<Socket, 'id'>,
  event: string,
  subject: string,
  content: object,
): void {
  const { connected, client, nsp } = socket as unknown as Inner;
  if (!connected) return;
  let encoded = encodings.get(content);
  if (encoded === undefined) {
    const options: PacketOptions = { preEncoded: true };
    const packet = { type: eventPacket, data: [event, subject, content], nsp: nsp.name };
    encoded = { packets: nsp.adapter._encode(packet, options), options };
    encodings.set(content, encoded);
  }
  client.writeToEngine(encoded.packets, encoded.options);
}
