import Link from 'next/link';

export default function About() {
  return (
    <>
      <h1>About</h1>
      <p>A page of its own, made ahead of time.</p>
      <Link href="/">Back</Link>
    </>
  );
}
