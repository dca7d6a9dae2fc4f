import Link from '@docusaurus/Link';
import Layout from '@theme/Layout';

export default function Home() {
  return (
    <Layout title="Home">
      <main style={{ padding: '6rem 1.5rem', textAlign: 'center' }}>
        <h1>It is live.</h1>
        <p>Documents by Docusaurus, published by one command.</p>
        <Link className="button button--primary" to="/docs/start">
          Start
        </Link>
      </main>
    </Layout>
  );
}
