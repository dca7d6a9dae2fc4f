import Link from 'next/link';
import { Counter } from './counter.jsx';

export default function Home() {
  return (
    <>
      <h1>It is live.</h1>
      <p>Exported by Next.js, published by one command.</p>
      <Counter />
      <p>
        <Link href="/about">About this page</Link>
      </p>
    </>
  );
}
