//! The tests say: does each question leave half of the ranges?
        if let [range] = ranges {
            return self.decide(range);
        }
        let (left, right) = ranges.split_at(1);
        let border = right[0].from;
        let (right, left) = (self.tree(right), self.tree(left));
        self.jump(BPF_JGE, border, right, left)
