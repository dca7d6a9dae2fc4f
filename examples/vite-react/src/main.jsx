import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import './main.css';

function App() {
  const [count, setCount] = useState(0);
  return (
    <main>
      <h1>It is live.</h1>
      <p>Built by Vite, published by one command.</p>
      <button type="button" onClick={() => setCount(count + 1)}>
        Clicked {count} times
      </button>
    </main>
  );
}

createRoot(document.getElementById('root')).render(<App />);
